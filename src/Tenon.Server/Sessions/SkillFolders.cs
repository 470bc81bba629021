using Tenon.Server.Sandboxes;
using Tenon.Server.Skills;
using Tenon.Server.Storage;

namespace Tenon.Server.Sessions;

/// <summary>
/// The files of skills on this machine: each version is unpacked once, into a folder that all sandboxes share and none
/// can write to.
/// </summary>
/// <remarks>
/// A folder gets its name when it is whole and on the disk, so a crash leaves a part that is collected later. The
/// folders belong to the server; a sandbox has them mounted read-only, also where it runs as the server's own user.
/// </remarks>
public sealed class SkillFolders(SkillCatalog catalog, SandboxProvider sandboxes, TimeProvider clock) : IDisposable
{
    private const string FolderName = ".skills";
    private const string PartMark = ".part-";
    private const UnixFileMode WalkOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode Readable = WalkOnly | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    // One at a time: it takes the disk, and two must not unpack the same.
    private readonly SemaphoreSlim _turn = new(1, 1);


    private string Folder => Path.Combine(sandboxes.Root, FolderName);

    public void Dispose() => _turn.Dispose();

    /// <summary>The names of the folders of these skills.</summary>
    public IEnumerable<string> KeysOf(IReadOnlyList<SessionSkill> skills) => skills
        .Where(skill => skill.SkillId is not null).Select(skill => catalog.KeyOf(skill.SkillId!, skill.Version!));

    /// <summary>Mounts of the skills' folders, unpacked when they are not there.</summary>
    /// <exception cref="SandboxException">The files of one are not to be had.</exception>
    internal async Task<IReadOnlyList<SandboxMount>> Mounts(
        IReadOnlyList<SessionSkill> skills, CancellationToken cancellationToken)
    {
        var mounts = new List<SandboxMount>();
        foreach (var skill in skills.Where(skill => skill.SkillId is not null))
        {
            mounts.Add(new SandboxMount.Bind(await Ensure(skill, cancellationToken), skill.Path));
        }

        return mounts;
    }

    /// <summary>Deletes what no session has mounted and nobody has asked for as long as <paramref name="age"/>.
    /// </summary>
    public async Task Collect(IReadOnlySet<string> mounted, TimeSpan age, CancellationToken cancellationToken)
    {
        var newest = clock.GetUtcNow().UtcDateTime - age;
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var unused = Directory.Exists(Folder)
                ? Directory.EnumerateDirectories(Folder).Where(path =>
                    !mounted.Contains(Path.GetFileName(path)) && Directory.GetLastWriteTimeUtc(path) < newest).ToList()
                : [];
            unused.ForEach(Delete);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<string> Ensure(SessionSkill skill, CancellationToken cancellationToken)
    {
        var path = Path.Combine(Folder, catalog.KeyOf(skill.SkillId!, skill.Version!));
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (!Directory.Exists(path))
            {
                await Unpack(skill, path, cancellationToken);
            }

            // Whoever collects sees that it was asked for.
            Directory.SetLastWriteTimeUtc(path, clock.GetUtcNow().UtcDateTime);
            return path;
        }
        catch (Exception exception) when (exception is BlobsAwayException or IOException or InvalidDataException
            or UnauthorizedAccessException)
        {
            // A sandbox without its skills would mislead the model; the next call tries again.
            throw new SandboxException($"The skill {skill.Name} is not to be had: {exception.Message}", exception);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task Unpack(SessionSkill skill, string path, CancellationToken cancellationToken)
    {
        using var zip = new MemoryStream();
        await using (var stored = await catalog.Open(skill.SkillId!, skill.Version!, cancellationToken)
            ?? throw new SandboxException($"The files of the skill {skill.Name} are gone."))
        {
            await stored.CopyToAsync(zip, cancellationToken);
        }

        Directory.CreateDirectory(Folder);
        File.SetUnixFileMode(Folder, WalkOnly);
        var part = PartOf(path);
        MakeDirectory(part, part);
        foreach (var file in SkillBundle.FilesOf(zip, skill.Name))
        {
            var target = Path.Combine(part, file.Path);
            MakeDirectory(Path.GetDirectoryName(target)!, part);
            Write(target, file);
        }

        Directory.Move(part, path);
    }

    private static void Write(string path, SkillFile file)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        stream.Write(file.Content);
        File.SetUnixFileMode(stream.SafeFileHandle, file.Mode);
        stream.Flush(flushToDisk: true);
    }

    // Whatever the server's umask is.
    private static void MakeDirectory(string directory, string root)
    {
        if (!Directory.Exists(directory))
        {
            if (directory != root)
            {
                MakeDirectory(Path.GetDirectoryName(directory)!, root);
            }

            Directory.CreateDirectory(directory);
            File.SetUnixFileMode(directory, Readable);
        }
    }

    // By its new name it is nothing that anybody asks for, also when it goes only in part.
    private static void Delete(string path)
    {
        var part = path.Contains(PartMark, StringComparison.Ordinal) ? path : PartOf(path);
        if (part != path)
        {
            Directory.Move(path, part);
        }

        Directory.Delete(part, recursive: true);
    }

    private static string PartOf(string path) => $"{path}{PartMark}{Guid.NewGuid():N}";
}
