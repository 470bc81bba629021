using System.Diagnostics;
using Tenon.Server.Sandboxes;

namespace Tenon.Server.Configuration;

/// <summary>
/// Makes the base of sandboxes: the root of a Debian system in a directory, by <c>mmdebstrap</c>. It says what it does
/// as it goes.
/// </summary>
public static class ImageBuild
{
    public const string Help =
        """
        Usage: ./tenon image build DIRECTORY [--full] [--packages NAME,NAME…] [--suite bookworm] [--mirror LINE|URL]
                                   [--variant minbase]

        Makes a Debian system in a new directory. Sessions get it in place of the host's /usr with
        ./tenon serve --sandbox-image DIRECTORY.

          --full       compilers, runtimes and office tools as well; several GB
          --packages   more of Debian's packages
          --suite      Debian's release
          --mirror     a mirror, or a whole line of sources.list
          --variant    mmdebstrap's: how much is in it besides the packages
        """;

    private const string FullMark = "[full]";

    /// <param name="directory">A new one, or an empty one.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string directory, ImageOptions options)
    {
        if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
        {
            Console.Error.WriteLine($"tenon: {directory} is not empty; give a directory that is not there yet.");
            return 2;
        }

        if (SystemProgram.Find("mmdebstrap") is not { } program)
        {
            Console.Error.WriteLine("tenon: mmdebstrap is not installed. Type: sudo apt-get install mmdebstrap");
            return 2;
        }

        List<string> arguments =
        [
            $"--variant={options.Variant}", $"--include={string.Join(',', Names(options))}",
            // Nobody starts a service in a sandbox, and what was downloaded is in the way.
            "--dpkgopt=path-exclude=/usr/share/man/*", "--aptopt=Apt::Install-Recommends \"false\"",
            options.Suite, directory,
        ];
        if (options.Mirror is { } mirror)
        {
            arguments.Add(mirror);
        }

        using var process = Process.Start(new ProcessStartInfo(program, arguments))!;
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            Console.Error.WriteLine(
                $"tenon: the image was not made; mmdebstrap's words are above. What there is of it is in {directory}.");
            return 1;
        }

        Console.WriteLine($"The image is in {directory}. Serve it: ./tenon serve --sandbox-image {directory}");
        return 0;
    }

    private static IEnumerable<string> Names(ImageOptions options)
    {
        using var stream = typeof(ImageBuild).Assembly.GetManifestResourceStream("image-packages.txt")!;
        using var reader = new StreamReader(stream);
        var lines = reader.ReadToEnd()
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#').ToList();
        var always = lines.TakeWhile(line => line != FullMark);
        return [.. options.OnlyGiven ? [] : options.IsFull ? lines.Where(line => line != FullMark) : always,
            .. options.Packages];
    }
}

/// <summary>What a base has.</summary>
public sealed record ImageOptions
{
    public string Suite { get; init; } = "bookworm";

    /// <summary>A URL or a line of <c>sources.list</c>; null takes mmdebstrap's own for the suite.</summary>
    public string? Mirror { get; init; }

    public string Variant { get; init; } = "minbase";

    public bool IsFull { get; init; }

    /// <summary>Nothing but <see cref="Packages"/>: with the variant <c>extract</c> or <c>custom</c>.</summary>
    public bool OnlyGiven => Variant is "extract" or "custom";

    public IReadOnlyList<string> Packages { get; init; } = [];
}
