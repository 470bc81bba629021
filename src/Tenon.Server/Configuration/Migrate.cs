using System.Collections;
using System.Data.Common;
using Tenon.Server.Storage;

namespace Tenon.Server.Configuration;

/// <summary><c>tenon migrate</c>: copies an installation from SQLite to PostgreSQL.</summary>
public static class Migrate
{
    private const int Copied = 0;
    private const int Failed = 1;
    private const int Refused = 2;

    public static int Help()
    {
        Console.WriteLine("""
            Copies an installation from SQLite to an empty PostgreSQL database, in one transaction, and verifies it.

              ./tenon migrate --from DATADIR --postgres CS

              --from DATADIR                   the data folder of the installation; no server may have it open
              --postgres CS (TENON_POSTGRES)   the connection string of an empty database; in the variable it is not
                                               seen in the list of processes

            The data folder is left as it is, but for its tables being brought up to date. Serve it from then on with
            --data DATADIR and --postgres CS: without the latter the old copy would go on by itself.

            Ends with 0 when all is copied and the same, with 2 when it was refused before anything was copied (a wrong
            flag, a folder in use or without a database, a target in use or with rows), and with 1 when it failed on
            the way; then the target is as empty as before, and the command can be repeated.
            """);
        return Copied;
    }

    /// <param name="output">Where progress and failures are told.</param>
    /// <exception cref="SettingsException">A flag is missing or wrong.</exception>
    /// <exception cref="IOException">A server has the folder open.</exception>
    public static async Task<int> Run(IReadOnlyList<string> arguments, IDictionary variables, TextWriter output)
    {
        var path = TakeFrom(arguments, out var rest);
        var settings = SettingsReader.Read(rest, variables);
        var postgres = settings.Postgres
            ?? throw new SettingsException("migrate needs --postgres or TENON_POSTGRES: where to copy to.");
        if (!File.Exists(Path.Combine(path, DataFolder.DatabaseName)))
        {
            throw new SettingsException($"--from {path}: there is no {DataFolder.DatabaseName} in this folder.");
        }

        using var folder = DataFolder.Open(path);
        var from = new SqliteDatabase(folder.DatabasePath);
        await using var to = new PostgresDatabase(postgres, TimeProvider.System);
        try
        {
            await new StoreCopy(from, to, output.WriteLine).Run(CancellationToken.None);
            await output.WriteLineAsync($"Copied. Serve it with --data {path} and --postgres from now on.");
            return Copied;
        }
        catch (StoreCopyException exception)
        {
            await output.WriteLineAsync($"tenon: {exception.Message}");
            return exception.IsRefusal ? Refused : Failed;
        }
        catch (DbException exception)
        {
            await output.WriteLineAsync($"tenon: {exception.Message}\nNothing was kept; the command can be repeated.");
            return Failed;
        }
        finally
        {
            from.Close();
        }
    }

    private static string TakeFrom(IReadOnlyList<string> arguments, out IReadOnlyList<string> rest)
    {
        const string Flag = "--from";
        var at = arguments.ToList().FindIndex(
            argument => argument == Flag || argument.StartsWith(Flag + "=", StringComparison.Ordinal));
        var inline = at >= 0 && arguments[at] != Flag;
        if (at < 0 || (!inline && at + 1 == arguments.Count))
        {
            throw new SettingsException("migrate needs --from DATADIR: the data folder to copy from.");
        }

        rest = [.. arguments.Take(at), .. arguments.Skip(at + (inline ? 1 : 2))];
        return Path.GetFullPath(inline ? arguments[at][(Flag.Length + 1)..] : arguments[at + 1]);
    }
}
