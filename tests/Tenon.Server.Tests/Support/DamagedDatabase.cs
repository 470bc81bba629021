namespace Tenon.Server.Tests.Support;

/// <summary>What a failing disk does to a database file.</summary>
public static class DamagedDatabase
{
    private const int PageBytes = 4096;

    /// <summary>Overwrites every page after the first.</summary>
    public static void Damage(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
        var noise = new byte[PageBytes];
        new Random(1).NextBytes(noise);
        for (var page = 1; page < file.Length / PageBytes; page++)
        {
            file.Position = (long)page * PageBytes;
            file.Write(noise);
        }
    }
}
