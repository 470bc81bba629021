using Tenon.Server.Configuration;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Images;

/// <summary>A base for sandboxes, made of what a repository on loopback has.</summary>
public sealed class ImageBuildTests
{
    [Fact]
    public async Task An_image_has_what_the_mirrors_packages_bring_and_is_made_only_where_nothing_is()
    {
        await using var repositories = await PackageRepositories.Start(host: "127.0.0.1");
        using var folder = new TempFolder();
        var image = Path.Combine(folder.Path, "image");
        string[] build =
        [
            "build", image, "--packages=hello-apt", "--variant=extract", $"--mirror={repositories.Mirrors.Apt}",
        ];

        Assert.Equal(0, Image.Run(build));
        Assert.Equal(2, Image.Run(build));

        Assert.Equal("words\n", await File.ReadAllTextAsync(
            Path.Combine(image, "usr/share/hello-apt/words"), TestContext.Current.CancellationToken));
        Assert.Equal(1, Image.Run(
        [
            "build", Path.Combine(folder.Path, "other"), "--packages=no-such-package", "--variant=extract",
            $"--mirror={repositories.Mirrors.Apt}",
        ]));
    }
}
