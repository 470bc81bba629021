using Xunit;

namespace Tenon.Server.Tests.Support;

/// <summary>The tidy tests find nothing in code they misread, so their reader is tested by itself.</summary>
public sealed class CSharpTextTests
{
    private const string Sample = """"
        public sealed record Sample(int A)
        {
            private readonly Dictionary<string, int> _table = new()
            {
                ["{ // no brace"] = 1,
            };

            // Thread.Sleep( in a comment
            public int Short() => 1;

            public int Long(string text = "}")
            {
                if (text == """a "raw" { """)
                {
                    return '{';
                }

                return 2;
            }
        }
        """";

    [Fact]
    public void Methods_are_counted_from_brace_to_brace() =>
        Assert.Equal([(12, 6)], CSharpText.Methods(CSharpText.Blank(Sample)));

    [Fact]
    public void Comments_and_literals_are_blanked_and_lines_keep_their_numbers()
    {
        var code = CSharpText.Blank(Sample);

        Assert.DoesNotContain("Thread", code, StringComparison.Ordinal);
        Assert.DoesNotContain("raw", code, StringComparison.Ordinal);
        Assert.Equal(Sample.Length, code.Length);
        Assert.Equal(Sample.Split('\n').Length, code.Split('\n').Length);
    }

    [Fact]
    public void Strings_are_found_as_they_stand() =>
        Assert.Equal(["\"{ // no brace\"", "\"}\"", "\"\"\"a \"raw\" { \"\"\""], CSharpText.Strings(Sample));
}
