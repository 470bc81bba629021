using System.IO.Compression;
using System.IO.Hashing;
using Tenon.Server.Http;

namespace Tenon.Server.Skills;

/// <summary>Reads the zip of an upload, which may be made to harm: every bound is on what is really there.</summary>
public static class SkillArchiveRules
{
    /// <summary>How often an archive's bytes may come out of it; text is packed ten to one, or thirty.</summary>
    private const int RatioMax = 200;

    /// <summary>Below it nothing is gained by packing, and empty tables pack very well.</summary>
    private const int RatioBytesMin = 1024 * 1024;

    /// <summary>
    /// Headers of entries, those in packed archives among them. Each that is read takes memory before it can be judged.
    /// </summary>
    private const int HeadersMax = 20_000;

    private const int KindMask = 0xF000;
    private const int RegularFile = 0x8000;
    private const int BufferBytes = 64 * 1024;

    private static ReadOnlySpan<byte> EntryHeader => "PK\x01\x02"u8;

    public static bool IsZip(ReadOnlySpan<byte> content) =>
        content.StartsWith("PK\x03\x04"u8) || content.StartsWith("PK\x05\x06"u8);

    /// <summary>The files in it, with their paths as they stand there.</summary>
    /// <exception cref="ApiException">400: it cannot be read, or has more, or other things, than a skill may have.
    /// </exception>
    public static IReadOnlyList<SkillFile> Files(byte[] zip)
    {
        if (zip.AsSpan().Count(EntryHeader) > HeadersMax)
        {
            throw TooMany();
        }

        try
        {
            using var archive = new ZipArchive(new MemoryStream(zip), ZipArchiveMode.Read);
            return Read(archive, zip.Length);
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or NotSupportedException
            or ArgumentException or OverflowException)
        {
            // Whatever the platform says of it in its own words, it is the client's archive that cannot be read.
            throw ApiException.Invalid("files", "the zip archive is damaged, or packed in a way that is not known.");
        }
    }

    private static List<SkillFile> Read(ZipArchive archive, int zipLength)
    {
        var files = new List<SkillFile>();
        var left = SkillBundleRules.BytesMax;
        foreach (var entry in archive.Entries.Where(entry => !entry.FullName.EndsWith('/')))
        {
            CheckKind(entry);
            if (files.Count == SkillBundleRules.FilesMax)
            {
                throw TooMany();
            }

            var content = Unpack(entry, left);
            left -= content.Length;
            var unpacked = SkillBundleRules.BytesMax - left;
            if (unpacked > RatioBytesMin && unpacked / RatioMax > zipLength)
            {
                throw ApiException.Invalid(
                    "files", $"the zip archive unpacks to more than {RatioMax} times its own size.");
            }

            files.Add(new SkillFile(entry.FullName, content, SkillFile.IsProgram(entry.ExternalAttributes)));
        }

        return files;
    }

    private static void CheckKind(ZipArchiveEntry entry)
    {
        var kind = entry.ExternalAttributes >> 16 & KindMask;
        if (kind is not (0 or RegularFile))
        {
            throw ApiException.Invalid(
                "files", "the zip archive has a link, or another thing that is neither a file nor a folder.");
        }

        if (entry.IsEncrypted)
        {
            throw ApiException.Invalid("files", "the zip archive is encrypted.");
        }
    }

    private static byte[] Unpack(ZipArchiveEntry entry, int bytesMax)
    {
        using var content = new MemoryStream();
        using var stream = entry.Open();
        var buffer = new byte[BufferBytes];
        int count;
        while ((count = stream.Read(buffer)) > 0)
        {
            if (content.Length + count > bytesMax)
            {
                throw SkillUploadInput.TooLarge();
            }

            content.Write(buffer, 0, count);
        }

        // The platform gives as many bytes as the header says, and does not look whether they are the right ones.
        var bytes = content.ToArray();
        return bytes.Length == entry.Length && Crc32.HashToUInt32(bytes) == entry.Crc32 ? bytes
            : throw new InvalidDataException("an entry is not what it says");
    }

    private static ApiException TooMany() =>
        ApiException.Invalid("files", $"a skill has at most {SkillBundleRules.FilesMax} files.");
}
