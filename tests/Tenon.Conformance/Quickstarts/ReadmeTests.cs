using Tenon.Conformance.Support;

namespace Tenon.Conformance.Quickstarts;

public sealed class ReadmeTests
{
    private const int LinesMax = 50;

    [Theory]
    [InlineData("quickstart.sh", "bash")]
    [InlineData("quickstart.mjs", "js")]
    [InlineData("quickstart.cs", "csharp")]
    public void The_README_shows_each_quickstart_as_it_stands(string file, string language)
    {
        var program = File.ReadAllText(Repository.PathTo($"examples/{file}"));

        var readme = File.ReadAllText(Repository.PathTo("README.md"));

        Assert.Contains($"```{language}\n{program}```\n", readme, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("quickstart.sh")]
    [InlineData("quickstart.mjs")]
    [InlineData("quickstart.cs")]
    public void A_quickstart_is_short_enough_to_be_read_at_once(string file)
    {
        var lines = File.ReadAllLines(Repository.PathTo($"examples/{file}"));

        Assert.True(lines.Length <= LinesMax, $"{file} has {lines.Length} lines, more than {LinesMax}.");
        Assert.All(lines, line => Assert.True(line.Length <= 120, line));
    }
}
