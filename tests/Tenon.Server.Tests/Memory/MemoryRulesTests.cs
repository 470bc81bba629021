using Tenon.Server.Memory;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>Which paths a memory may have (api B.8).</summary>
public sealed class MemoryRulesTests
{
    public static TheoryData<string> Sound { get; } =
    [
        "/a", "/A/b.md", "/…", "/.hidden", "/...", "/a b", "/é", "/가", "/日本/😀", "/a|b", "/\\", "/'\"", "/\uFFFD",
        "/" + string.Join('/', Enumerable.Repeat("s", MemoryLimits.SegmentsMax)), "/" + new string('x', 1_023),
        "/\u0915\u093C", "/q\u0323\u0307",
    ];

    public static TheoryData<string, string> Unsound { get; } = new()
    {
        { "", "must start" }, { "a", "must start" }, { "/", "must start" }, { "//", "must not have segments" },
        { "/a/", "must not have segments" }, { "/a//b", "must not have segments" },
        { "/./a", "must not have segments" }, { "/a/..", "must not have segments" },
        { "/../etc/passwd", "must not have segments" },
        { "/a\0", "must not have control" }, { "/a\nb", "must not have control" },
        { "/\u007F", "must not have control" }, { "/\u0085", "must not have control" },
        { "/\u200B", "must not have control" }, { "/\u202E", "must not have control" },
        { "/\uFEFFa", "must not have control" }, { "/\u2028", "must not have control" },
        { "/\u2029", "must not have control" }, { "/\U000E0001", "must not have control" },
        { "/e\u0301", "must be in Unicode" }, { "/\u212B", "must be in Unicode" },
        { "/\u1100\u1161", "must be in Unicode" }, { "/\uAC00\u11A8", "must be in Unicode" },
        { "/q\u0307\u0323", "must be in Unicode" }, { "/\u00E9\u0323", "must be in Unicode" },
        { "/\uFB1D", "must be in Unicode" }, { "/\u0958", "must be in Unicode" },
        { "/" + string.Join('/', Enumerable.Repeat("s", 21)), "has more than 20 segments" },
        { "/" + new string('x', 1_024), "is longer than 1024 bytes" },
        { "/" + new string('é', 512), "is longer than 1024 bytes" },
    };

    [Theory]
    [MemberData(nameof(Sound))]
    public void A_sound_path_is_taken(string path) => Assert.Null(MemoryRules.PathFault(path));

    [Theory]
    [MemberData(nameof(Unsound))]
    public void Any_other_path_is_refused_with_its_fault(string path, string fault) =>
        Assert.StartsWith(fault, MemoryRules.PathFault(path), StringComparison.Ordinal);
}
