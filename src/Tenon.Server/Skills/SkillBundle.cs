using System.IO.Compression;

namespace Tenon.Server.Skills;

/// <summary>The files of a skill, checked: below its folder, <c>SKILL.md</c> among them.</summary>
public sealed record SkillBundle(string Name, string Description, IReadOnlyList<SkillFile> Files)
{
    /// <summary>Unix's regular file, in the half of the attributes that is Unix's.</summary>
    private const int RegularFile = 0x8000 << 16;

    /// <summary>The first time that a zip can say; the files' own times mean nothing to anybody.</summary>
    private static readonly DateTimeOffset NoTime = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// The skill as a zip with one folder that has its name. The same files make the same bytes.
    /// </summary>
    public byte[] ToZip()
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var file in Files.OrderBy(file => file.Path, StringComparer.Ordinal))
            {
                var entry = zip.CreateEntry($"{Name}/{file.Path}", CompressionLevel.Optimal);
                entry.LastWriteTime = NoTime;
                entry.ExternalAttributes = RegularFile | (int)file.Mode << 16;
                using var stream = entry.Open();
                stream.Write(file.Content);
            }
        }

        return bytes.ToArray();
    }

    /// <summary>The files of a zip that <see cref="ToZip"/> made.</summary>
    public static IEnumerable<SkillFile> FilesOf(Stream zip, string name)
    {
        using var archive = new ZipArchive(zip, ZipArchiveMode.Read);
        foreach (var entry in archive.Entries)
        {
            using var content = new MemoryStream();
            using var stream = entry.Open();
            stream.CopyTo(content);
            yield return new SkillFile(
                entry.FullName[(name.Length + 1)..], content.ToArray(), SkillFile.IsProgram(entry.ExternalAttributes));
        }
    }
}

/// <summary>One file of a skill.</summary>
/// <param name="Path">Below the skill's folder, or, before it is checked, as the client sent it.</param>
public sealed record SkillFile(string Path, byte[] Content, bool IsExecutable)
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite
        | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private const UnixFileMode Executable =
        UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>For everybody to read, and to run if it is a program.</summary>
    public UnixFileMode Mode => IsExecutable ? Readable | Executable : Readable;

    /// <summary>Whether a zip's entry with these attributes may be run.</summary>
    public static bool IsProgram(int attributes) => ((UnixFileMode)(attributes >> 16) & Executable) != 0;
}
