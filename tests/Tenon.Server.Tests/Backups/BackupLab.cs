using System.Collections;
using System.Formats.Tar;
using System.IO.Compression;
using Tenon.Server.Configuration;
using Tenon.Server.Tests.Support;

namespace Tenon.Server.Tests.Backups;

/// <summary>The two verbs as an operator types them, and backups that somebody has tampered with.</summary>
internal sealed class BackupLab : IDisposable
{
    private readonly TempFolder _temp = new();

    public BackupLab() => File.SetUnixFileMode(
        _temp.Path, File.GetUnixFileMode(_temp.Path) | UnixFileMode.OtherExecute | UnixFileMode.GroupExecute);

    public string Folder => _temp.Path;

    public string File_ => Path.Combine(_temp.Path, "tenon.tar.gz");

    /// <summary>A place for an installation to save; its sandboxes stand in it.</summary>
    public string Source => Path.Combine(_temp.Path, "source");

    /// <summary>Where a restore puts the installation.</summary>
    public string Data => Path.Combine(_temp.Path, "data");

    public (int Code, string Said) Backup(string data, string? to = null) => Run(
        Server.Configuration.Backup.Make, "--data", data, "--to", to ?? File_);

    /// <summary>The same of an installation whose blobs are in S3, as settings say that nobody listens to.</summary>
    public (int Code, string Said) BackupWithoutBlobs(string data) => Run(
        Server.Configuration.Backup.Make, "--data", data, "--to", File_,
        "--files-store", "s3", "--s3-bucket", "bucket", "--s3-endpoint", "http://127.0.0.1:1");

    public (int Code, string Said) Restore(string? from = null, string? data = null) => Run(
        Server.Configuration.Backup.Restore, "--from", from ?? File_, "--data", data ?? Data);

    /// <summary>What stands in the folder of this lab.</summary>
    public IReadOnlyList<string> Left() =>
        [.. Directory.EnumerateFileSystemEntries(Folder).Select(path => Path.GetFileName(path)).Order()];

    /// <summary>The names of the backup's entries.</summary>
    public IReadOnlyList<string> Names() => [.. Entries().Select(entry => entry.Name.TrimEnd('/'))];

    public IReadOnlyList<TarEntry> Entries()
    {
        using var zip = new GZipStream(File.OpenRead(File_), CompressionMode.Decompress);
        using var tar = new TarReader(zip);
        var entries = new List<TarEntry>();
        while (tar.GetNextEntry(copyData: true) is { } entry)
        {
            entries.Add(entry);
        }

        return entries;
    }

    /// <summary>The backup with other entries: written again in the order given.</summary>
    public void Rewrite(Func<IReadOnlyList<TarEntry>, IEnumerable<TarEntry>> change)
    {
        var entries = change(Entries()).ToList();
        using var zip = new GZipStream(File.Create(File_), CompressionMode.Compress);
        using var tar = new TarWriter(zip, TarEntryFormat.Pax);
        entries.ForEach(tar.WriteEntry);
    }

    public void Dispose() => _temp.Dispose();

    private static (int Code, string Said) Run(
        Func<IReadOnlyList<string>, IDictionary, TextWriter, int> verb, params string[] arguments)
    {
        using var output = new StringWriter();
        try
        {
            return (verb(arguments, new Hashtable
            {
                ["AWS_ACCESS_KEY_ID"] = "AKIA", ["AWS_SECRET_ACCESS_KEY"] = "s3cret",
            }, output), output.ToString());
        }
        catch (Exception exception) when (exception is SettingsException or IOException)
        {
            // What the program itself does with these.
            return (2, exception.Message);
        }
    }
}
