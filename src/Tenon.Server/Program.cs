using System.Data.Common;
using Tenon.Server.Configuration;
using Tenon.Server.Demo;
using Tenon.Server.Web.Reading;

namespace Tenon.Server;

/// <summary>The verbs of <c>./tenon</c> that need the server; the launcher itself has <c>test</c>.</summary>
public static class Program
{
    public static async Task<int> Main(string[] args)
    {
        try
        {
            return args switch
            {
                ["migrate", .., "--help" or "-h"] => Migrate.Help(),
                ["backup" or "restore", .., "--help" or "-h"] => Backup.Help(),
                ["image", .., "--help" or "-h"] => Image.Help(),
                [_, .., "--help" or "-h"] => Usage.Print(),
                ["serve", .. var rest] => await Serve.Run(rest),
                ["demo", .. var rest] => await DemoRun.Run(rest),
                ["migrate", .. var rest] =>
                    await Migrate.Run(rest, Environment.GetEnvironmentVariables(), Console.Out),
                ["backup", .. var rest] =>
                    Backup.Make(rest, Environment.GetEnvironmentVariables(), Console.Out),
                ["restore", .. var rest] =>
                    Backup.Restore(rest, Environment.GetEnvironmentVariables(), Console.Out),
                ["image", .. var rest] => Image.Run(rest),
                ["vault-key", .. var rest] => VaultSettings.AddKey(rest),
                [ReaderProcess.Verb] => await ReadDocuments.Run(),
                ["doctor", .. var rest] => await Doctor.Run(rest),
                [] or ["help" or "--help" or "-h", ..] => Usage.Print(),
                _ => Usage.Refuse(args[0]),
            };
        }
        catch (Exception exception) when (exception is SettingsException or IOException or DbException)
        {
            await Console.Error.WriteLineAsync($"tenon: {exception.Message}");
            return 2;
        }
    }
}
