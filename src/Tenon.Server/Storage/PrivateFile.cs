namespace Tenon.Server.Storage;

/// <summary>A key of the installation in a file that only its owner may read.</summary>
internal static class PrivateFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite; // 0600

    /// <returns>Null when it is not there.</returns>
    /// <exception cref="IOException">Others may read it; the message says what to type.</exception>
    public static byte[]? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        return (File.GetUnixFileMode(path) & ~OwnerOnly) == 0
            ? File.ReadAllBytes(path)
            : throw new IOException(
                $"{path} is a key that others than its owner may read or write. If nobody has read it, type: "
                + $"chmod 600 {path} - else delete it, and a new one is made.");
    }

    /// <summary>Whole or not at all, also when the machine loses its power.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + ".new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly,
        }))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
