namespace Tenon.Server.Configuration;

/// <summary>What <c>tenon --help</c> says.</summary>
public static class Usage
{
    public static int Print()
    {
        Console.WriteLine("""
            Tenon runs autonomous agents on your machines, behind the wire API of Claude Managed Agents.

              ./tenon demo      run an agent end to end and watch it; needs no key
              ./tenon serve     run the server
              ./tenon migrate   copy an installation from SQLite to PostgreSQL; see ./tenon migrate --help
              ./tenon backup    put an installation into one file, also while it is served; see ./tenon backup --help
              ./tenon restore   make an installation of such a file
              ./tenon vault-key add a key that seals the credentials of vaults (docs/operations/vaults.md)
              ./tenon image     make a Debian system for sandboxes; see ./tenon image --help
              ./tenon test      run every test
              ./tenon bench     measure this machine
              ./tenon soak      crash: kill a server at random while sessions work, and count what was lost;
                                sandboxes: use sandboxes at random, and count what is left of them
              ./tenon simulate  crash a simulated session at random places; takes a seed, or a range such as 0..10000
              ./tenon doctor    what this machine can and cannot do, and the fix for each; with --probe, every
                                known way out of a sandbox is tried here; takes what serve takes, such as --driver

            serve takes:
            """);
        foreach (var key in SettingKeys.All)
        {
            var names = key.Flag is null ? key.Variable : $"{key.Flag} ({key.Variable})";
            Console.WriteLine($"  {names,-56} {key.Meaning}" + (key.Default is null ? "" : $"; default {key.Default}"));
        }

        Console.WriteLine(
            $"  {"--config FILE",-56} a JSON file with any of these; default ./tenon.json when it exists");
        Console.WriteLine("""

            Model services are found in ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL, OPENAI_API_KEY and OPENAI_BASE_URL.
            With none of them, the built-in demo model answers.
            """);
        return 0;
    }

    public static int Refuse(string verb)
    {
        Console.Error.WriteLine($"tenon: unknown verb '{verb}'. Try './tenon --help'.");
        return 2;
    }
}
