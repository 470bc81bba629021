using System.Collections;
using System.Runtime.InteropServices;
using Tenon.Server.Backups;
using Tenon.Server.Storage;

namespace Tenon.Server.Configuration;

/// <summary><c>tenon backup</c> and <c>tenon restore</c>: an installation in one file, and back.</summary>
public static class Backup
{
    private const int Done = 0;
    private const int Failed = 1;
    private const int Refused = 2;

    public static int Help()
    {
        Console.WriteLine("""
            Puts an installation into one file, also while it is served, and makes one of such a file.

              ./tenon backup --data DIR --to FILE
              ./tenon restore --from FILE --data DIR

              --data DIR (TENON_DATA)   the data folder, default ./data; a restore needs an empty or a new one
              --to FILE                 the file to make, a compressed tar for its owner only; it must not be there
              --from FILE               a file that ./tenon backup made

            A backup holds every agent, session, event and file, the sandboxes' files, and the hash of the API key, all
            in the clear: keep it as safe as the folder. Settings (tenon.json, TENON_… variables) are not in it.

            Ends with 0 when all is done and verified, with 2 when it was refused before anything was done, and with 1
            when it failed or was interrupted on the way; then nothing is left behind, and it can be repeated.
            """);
        return Done;
    }

    /// <exception cref="SettingsException">A flag is missing or wrong.</exception>
    public static int Make(IReadOnlyList<string> arguments, IDictionary variables, TextWriter output)
    {
        var target = TakePath("--to", arguments, out var rest);
        var settings = SettingsReader.Read(rest, variables);

        // An installation on another database server has none in its folder.
        var hasDatabase = settings.Postgres is null
            && (File.Exists(Path.Combine(settings.DataDirectory, DataFolder.DatabaseName))
                || !Directory.Exists(Path.Combine(settings.DataDirectory, "files")));
        return Try(output, cancellationToken =>
        {
            new BackupWriter(settings.Sandbox, TimeProvider.System, output.WriteLine)
            {
                WithBlobs = settings.Files.S3 is null,
            }.Write(target, hasDatabase, cancellationToken);
            output.WriteLine($"{target} holds the installation, verified. It is as secret as the data folder.");
            SayWhatIsMissing(output, hasDatabase);
            if (settings.Files.S3 is { } place)
            {
                output.WriteLine($"The bytes of files are not in it: they stay in {place}. Keep them there, with "
                    + "versions or a replica of the bucket, at least as long as this backup; "
                    + "docs/operations/backup.md says how.");
            }
        });
    }

    /// <exception cref="SettingsException">A flag is missing or wrong.</exception>
    public static int Restore(IReadOnlyList<string> arguments, IDictionary variables, TextWriter output)
    {
        var source = TakePath("--from", arguments, out var rest);
        var settings = SettingsReader.Read(rest, variables);
        return Try(output, cancellationToken =>
        {
            var hasDatabase = new RestoredFolder(settings.Sandbox, TimeProvider.System, output.WriteLine)
                .Write(source, cancellationToken);
            output.WriteLine($"Restored. Start it with: ./tenon serve --data {settings.DataDirectory}");
            SayWhatIsMissing(output, hasDatabase);
        });
    }

    private static void SayWhatIsMissing(TextWriter output, bool hasDatabase)
    {
        if (!hasDatabase)
        {
            output.WriteLine($"There is no {DataFolder.DatabaseName} in it: what is in PostgreSQL needs pg_dump and "
                + "pg_restore, and the dump must be made before the backup.");
        }
    }

    private static int Try(TextWriter output, Action<CancellationToken> work)
    {
        using var stop = new CancellationTokenSource();
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            work(stop.Token);
            return Done;
        }
        catch (BackupException exception)
        {
            output.WriteLine($"tenon: {exception.Message}");
            return exception.IsRefusal ? Refused : Failed;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            output.WriteLine("tenon: stopped; nothing was left behind.");
            return Failed;
        }

        void Stop(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }

    private static string TakePath(string flag, IReadOnlyList<string> arguments, out IReadOnlyList<string> rest)
    {
        var at = arguments.ToList().FindIndex(
            argument => argument == flag || argument.StartsWith(flag + "=", StringComparison.Ordinal));
        var inline = at >= 0 && arguments[at] != flag;
        if (at < 0 || (!inline && at + 1 == arguments.Count))
        {
            throw new SettingsException($"{flag} FILE is needed; see ./tenon backup --help.");
        }

        rest = [.. arguments.Take(at), .. arguments.Skip(at + (inline ? 1 : 2))];
        return Path.GetFullPath(inline ? arguments[at][(flag.Length + 1)..] : arguments[at + 1]);
    }
}
