using System.Text.Json;
using CsCheck;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Events;

/// <summary>
/// Readers whose connection breaks at random while a session works. However often it does, each ends with exactly the
/// history (api D.2).
/// </summary>
public sealed class ReconnectTests(TestServer server)
{
    private const int Turns = 6;

    /// <summary>Frames that a connection lasts at most.</summary>
    private const int FramesMax = 12;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task Readers_that_reconnect_end_with_exactly_the_history() =>
        Gen.Int.SampleAsync(Check, iter: 12, threads: 1);

    private async Task Check(int seed)
    {
        var session = await server.NewSession();
        Task<List<StreamEvent>>[] resuming = [.. Enumerable.Range(0, 3).Select(i => Resume(session, seed + i))];
        Task<List<string>>[] listing = [.. Enumerable.Range(0, 3).Select(i => ListAndTail(session, seed - i))];
        await Work(session, new Random(seed));

        var history = await session.List("?limit=1000");
        var states = history.EnumerateArray().Select(@event => @event.GetRawText()).ToList();
        foreach (var frames in await Task.WhenAll(resuming))
        {
            // A message that waited came twice; its newest state is what the history has.
            Assert.Equal(frames.Select(frame => frame.Id).Distinct(), frames.Select(frame => frame.Id));
            Assert.Equal(states, frames.Where(IsNewest(frames)).Select(frame => frame.Json.GetRawText()));
        }

        foreach (var ids in await Task.WhenAll(listing))
        {
            Assert.Equal(history.Texts("id").Order(), ids.Order());
        }
    }

    private static Func<StreamEvent, bool> IsNewest(List<StreamEvent> frames)
    {
        var newest = frames.GroupBy(frame => frame.EventId).ToDictionary(states => states.Key, states => states.Last());
        return frame => ReferenceEquals(newest[frame.EventId], frame);
    }

    /// <summary>Some turns, one after the other or one queued behind the other, and the end of the session.</summary>
    private static async Task Work(TestSession session, Random random)
    {
        for (var turn = 0; turn < Turns; turn++)
        {
            session.Model.Says($"answer {turn}");
        }

        await using var stream = await session.Stream();
        for (var turn = 0; turn < Turns; turn++)
        {
            await session.Send(TestSession.Says($"message {turn}"));
            if (random.Next(2) == 0)
            {
                await stream.Until("session.status_idle");
            }
        }

        while (!await IsAtRest(session))
        {
            await stream.Until("session.status_idle");
        }

        (await session.Server.Post($"{session.Path}/archive")).Ok();
    }

    private static async Task<bool> IsAtRest(TestSession session)
    {
        var history = await session.List("?limit=1000");
        return history[history.GetArrayLength() - 1].Text("type") == "session.status_idle"
            && history.EnumerateArray().Where(@event => @event.Text("type") == "user.message")
                .All(message => message.At("processed_at").ValueKind == JsonValueKind.String);
    }

    /// <summary>Resumes with <c>Last-Event-ID</c>. Every frame that came, in the order in which it came.</summary>
    private static async Task<List<StreamEvent>> Resume(TestSession session, int seed)
    {
        var (random, frames) = (new Random(seed), new List<StreamEvent>());
        while (frames is [] || frames[^1].Name != "session.status_terminated")
        {
            await using var stream = await session.Stream(lastEventId: frames is [] ? "0" : frames[^1].Id);
            for (var left = random.Next(1, FramesMax); left > 0 && await stream.Next() is { } frame; left--)
            {
                frames.Add(frame);
            }
        }

        return frames;
    }

    /// <summary>Opens a stream, lists what was, drops what it has twice, and goes on. The ids in that order.</summary>
    private static async Task<List<string>> ListAndTail(TestSession session, int seed)
    {
        var (random, ids, hasEnded) = (new Random(seed), new List<string>(), false);
        while (!hasEnded)
        {
            await using var stream = await session.Stream();
            foreach (var listed in (await session.List("?limit=1000")).EnumerateArray())
            {
                Take(listed.Text("id"), listed.Text("type"));
            }

            for (var left = random.Next(1, FramesMax); !hasEnded && left > 0; left--)
            {
                if (await stream.Next() is { } frame)
                {
                    Take(frame.EventId, frame.Name);
                }
            }
        }

        return ids;

        void Take(string id, string type)
        {
            hasEnded |= type == "session.status_terminated";
            if (!ids.Contains(id))
            {
                ids.Add(id);
            }
        }
    }
}
