using System.Net.ServerSentEvents;

namespace Tenon.Bench;

/// <summary>A session and a stream of it that stays open.</summary>
internal sealed class Talk(BenchServer server, string session, IAsyncEnumerator<SseItem<string>> stream)
    : IAsyncDisposable
{
    public string Session => session;

    /// <summary>Opens a new session, and has its first turn: its owner is there then, and its sandbox.</summary>
    public static async Task<Talk> Open(BenchServer server, string body)
    {
        var session = await server.NewSession(body);
        var talk = new Talk(server, session, await server.Stream(session));
        await talk.Turn();
        return talk;
    }

    /// <summary>A message, and all that follows it.</summary>
    public async Task Turn()
    {
        await server.Send(session);
        await BenchServer.Until(stream, "session.status_idle");
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();
}

/// <summary>Some of them, opened together.</summary>
internal sealed class Talks(Talk[] talks) : IAsyncDisposable
{
    public Talk this[int index] => talks[index];

    public static async Task<Talks> Open(BenchServer server, string body, int count) =>
        new(await Task.WhenAll(Enumerable.Range(0, count).Select(_ => Talk.Open(server, body))));

    public async ValueTask DisposeAsync()
    {
        foreach (var talk in talks)
        {
            await talk.DisposeAsync();
        }
    }
}
