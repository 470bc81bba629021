using Microsoft.Extensions.Configuration;

namespace Tenon.Server.Configuration;

/// <summary><c>tenon image build</c>: makes a base for sandboxes.</summary>
public static class Image
{
    private static readonly string[] Known = ["--full", "--packages", "--suite", "--mirror", "--variant"];

    public static int Run(string[] arguments)
    {
        if (arguments is not ["build", var directory, .. var flags] || directory.StartsWith('-')
            || flags.FirstOrDefault(flag => flag.StartsWith("--", StringComparison.Ordinal)
                && !Known.Contains(flag.Split('=')[0])) is not null)
        {
            Console.Error.WriteLine(ImageBuild.Help);
            return 2;
        }

        var options = new ConfigurationBuilder().AddCommandLine([.. flags.Where(flag => flag != "--full")]).Build();
        return ImageBuild.Run(Path.GetFullPath(directory), new ImageOptions
        {
            IsFull = flags.Contains("--full"),
            Packages = (options["packages"] ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries),
            Suite = options["suite"] ?? "bookworm",
            Mirror = options["mirror"],
            Variant = options["variant"] ?? "minbase",
        });
    }

    public static int Help()
    {
        Console.WriteLine(ImageBuild.Help);
        return 0;
    }
}
