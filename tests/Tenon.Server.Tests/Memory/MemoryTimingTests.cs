using System.Globalization;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>How soon what one session writes to its memory is a version, and is there for another session.</summary>
public sealed class MemoryTimingTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Rounds = 20;

    /// <summary>What is promised is a second, on a machine that does little else. This one may run all tests.</summary>
    private static readonly TimeSpan MedianMax = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestMax = TimeSpan.FromSeconds(5);

    private TestServer _server = null!;

    public async ValueTask InitializeAsync() => _server = await TestServer.Start();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_change_reaches_another_session_that_shares_the_store_within_a_second()
    {
        var store = await _server.NewStore("shared");
        var (first, second) = (await Session(store), await Session(store));
        await first.Shell("true");
        await second.Shell("true");

        // Each waits for the other's file, which says when it was written, and answers with one of its own.
        var (there, back) = (first.Shell(Player("ping", "pong", isFirst: true)),
            second.Shell(Player("pong", "ping", isFirst: false)));
        var samples = Times(await there).Concat(Times(await back)).Order().ToList();

        var versions = (await _server.Versions(store)).Select(version => version.Text("operation")).ToList();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{samples.Count} changes: p50 {samples[samples.Count / 2].TotalMilliseconds:0} ms, "
            + $"max {samples[^1].TotalMilliseconds:0} ms"));
        Assert.Equal(2 * Rounds, samples.Count);
        Assert.Equal(2 * Rounds, versions.Count(operation => operation == "created"));
        Assert.InRange(samples[samples.Count / 2], TimeSpan.Zero, MedianMax);
        Assert.InRange(samples[^1], TimeSpan.Zero, LongestMax);
    }

    /// <summary>What each of the other's files took to arrive, in microseconds, one a line.</summary>
    private static string Player(string own, string other, bool isFirst)
    {
        var write = $"echo $EPOCHREALTIME > /tmp/now; cp /tmp/now {own}$i";
        var wait = $$"""
            until [ -s {{other}}$i ]; do sleep 0.005; done
            now=${EPOCHREALTIME/./}; then=$(cat {{other}}$i); echo $((now - ${then/./}))
            """;
        return $"cd /mnt/memory/shared; for i in $(seq {Rounds}); do\n"
            + (isFirst ? $"{write}\n{wait}" : $"{wait}\n{write}") + "\ndone";
    }

    private static IEnumerable<TimeSpan> Times(string said) => said.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => TimeSpan.FromMicroseconds(long.Parse(line, CultureInfo.InvariantCulture)));

    private Task<TestSession> Session(string store) => _server.NewSession(
        """[{"type":"agent_toolset_20260401"}]""",
        $$"""
        "resources":[{"type":"memory_store","memory_store_id":"{{store}}"}]
        """);
}
