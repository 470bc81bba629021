using System.Text.Json;
using Anthropic;
using Anthropic.Core;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;

namespace Tenon.Conformance.Support;

/// <summary>A session as a client uses it: streams that are open before anything is sent, and whole turns.</summary>
public sealed class LabSession(AnthropicClient client, string id)
{
    public string Id => id;

    public AnthropicClient Client => client;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Task<BetaManagedAgentsSession> Get() => client.Beta.Sessions.Retrieve(id, cancellationToken: Cancellation);

    public Task<BetaManagedAgentsSendSessionEvents> Send(params BetaManagedAgentsEventParams[] events) =>
        client.Beta.Sessions.Events.Send(id, new EventSendParams { Events = events }, Cancellation);

    /// <summary>Opens a stream with the SDK; it is open when this returns.</summary>
    public async Task<LabStream> Open(params BetaManagedAgentsDeltaType[] deltas)
    {
        var parameters = new EventStreamParams { EventDeltas = [.. deltas.Select(Word)] };
        var response = await client.Beta.Sessions.Events.WithRawResponse.StreamStreaming(id, parameters, Cancellation);
        return new LabStream(response);

        static ApiEnum<string, BetaManagedAgentsDeltaType> Word(BetaManagedAgentsDeltaType delta) => delta;
    }

    /// <summary>Sends these and returns every event from then to the next idle, both included.</summary>
    public async Task<List<JsonElement>> Turn(params BetaManagedAgentsEventParams[] events)
    {
        await using var stream = await Open();
        await Send(events);
        return await stream.ReadTo("session.status_idle");
    }

    /// <summary>The whole history, oldest first.</summary>
    public async Task<List<JsonElement>> History() => [.. (await Typed()).Select(item => item.Json)];

    /// <summary>The whole history as the SDK reads it. Each event is as its type demands, or this throws.</summary>
    public async Task<IReadOnlyList<BetaManagedAgentsSessionEvent>> Typed()
    {
        var page = await client.Beta.Sessions.Events.List(id, new EventListParams(), Cancellation);
        Assert.All(page.Items, item => item.Validate());
        return page.Items;
    }
}

/// <summary>A stream of a session, read step by step.</summary>
public sealed class LabStream : IAsyncDisposable
{
    /// <summary>Turns of these tests take milliseconds; one that never ends should fail with what it did.</summary>
    private static readonly TimeSpan TurnTime = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _deadline =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private readonly StreamingHttpResponse<BetaManagedAgentsStreamSessionEvents> _response;
    private readonly IAsyncEnumerator<BetaManagedAgentsStreamSessionEvents> _events;

    public LabStream(StreamingHttpResponse<BetaManagedAgentsStreamSessionEvents> response)
    {
        _response = response;
        _deadline.CancelAfter(TurnTime);
        _events = response.Enumerate(_deadline.Token).GetAsyncEnumerator(_deadline.Token);
    }

    /// <summary>Every event up to the next one of this type, which is the last.</summary>
    public Task<List<JsonElement>> ReadTo(string type) => ReadUntil(read => read[^1].Type() == type, type);

    /// <summary>Every event until those that were read are enough. Each is as its type demands.</summary>
    /// <param name="wanted">In a failure's words.</param>
    public async Task<List<JsonElement>> ReadUntil(Func<List<JsonElement>, bool> isEnough, string wanted)
    {
        var read = new List<JsonElement>();
        try
        {
            while (await _events.MoveNextAsync())
            {
                _events.Current.Validate();
                read.Add(_events.Current.Json);
                if (isEnough(read))
                {
                    return read;
                }
            }
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            // Named below for what did not come.
        }

        throw new InvalidOperationException(
            $"The stream gave no {wanted} after {string.Join(", ", read.Types())}.");
    }

    /// <summary>Whether the server has ended it, with nothing more to read.</summary>
    public async Task<bool> HasEnded() => !await _events.MoveNextAsync();

    public async ValueTask DisposeAsync()
    {
        await _events.DisposeAsync();
        _response.Dispose();
        _deadline.Dispose();
    }
}
