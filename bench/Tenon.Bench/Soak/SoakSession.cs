using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;

namespace Tenon.Bench.Soak;

/// <summary>
/// A client that talks to one session through all the crashes, as a careful client does: it resumes its stream where it
/// broke, and sends again only what the log does not have. It remembers all that it has been shown.
/// </summary>
internal sealed class SoakSession(SoakServer server, string id, int number)
{
    private readonly List<string> _seen = [];
    private string _lastEventId = "0";

    public string Id => id;

    public List<string> Messages { get; } = [];

    /// <summary>When an event last reached this client (<see cref="Stopwatch.GetTimestamp"/>).</summary>
    public long LastEventAt { get; private set; }

    /// <summary>Whether a turn is under way.</summary>
    public bool IsAtWork { get; private set; }

    /// <summary>Turn after turn, until it is told that the next one is the last.</summary>
    public async Task Run(CancellationToken isEnough)
    {
        while (!isEnough.IsCancellationRequested || Messages.Count == 0)
        {
            var message = $"session {number} turn {Messages.Count}";
            Messages.Add(message);
            var messageId = await Deliver(message);
            await ReadToIdle();
            if (!_seen.Contains(messageId))
            {
                throw new InvalidOperationException($"{messageId} was taken, and never came on the stream.");
            }
        }
    }

    /// <summary>What is wrong with the session, now that all is over.</summary>
    public async Task<SoakFaults> Check()
    {
        var listed = (await List()).ConvertAll(@event => @event.GetProperty("id").GetString()!);
        var results = (await List()).Where(@event => @event.GetProperty("type").ValueEquals("agent.tool_result"));
        var effects = await File.ReadAllLinesAsync(Directory.EnumerateFiles(
            Path.Combine(server.Data, "sandboxes", id), "effects", SearchOption.AllDirectories).Single());
        var expected = Messages.SelectMany(message =>
            Enumerable.Range(0, SoakModel.RoundsEach).Select(round => SoakModel.Line(message, round))).ToList();
        return new SoakFaults
        {
            Events = listed.Count,
            Lost = _seen.Except(listed).Count(),
            Unseen = listed.Except(_seen).Count(),
            OutOfOrder = _seen.SequenceEqual(listed) ? 0 : 1,
            Effects = effects.Length,
            Twice = effects.Length - effects.Distinct().Count(),
            Missing = expected.Except(effects).Count(),
            Errors = results.Count(result => result.TryGetProperty("is_error", out var isError)
                && isError.ValueKind == JsonValueKind.True),
        };
    }

    /// <summary>Returns the message's id once it is in the log, however often the server dies on the way.</summary>
    private async Task<string> Deliver(string message)
    {
        IsAtWork = true;
        var body = JsonSerializer.Serialize(new
        {
            events = new[] { new { type = "user.message", content = new[] { new { type = "text", text = message } } } },
        });
        while (true)
        {
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var answer = await server.Client.PostAsync($"/v1/sessions/{id}/events", content);
                if (answer.IsSuccessStatusCode)
                {
                    var taken = await answer.Content.ReadFromJsonAsync<JsonElement>();
                    return taken.GetProperty("data")[0].GetProperty("id").GetString()!;
                }

                if ((int)answer.StatusCode < 500)
                {
                    throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());
                }
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // It died with the request: whether it took it is in the log.
            }

            await server.Ready();
            if (await TryFind(message) is { } found)
            {
                return found;
            }
        }
    }

    private async Task ReadToIdle()
    {
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/sessions/{id}/events/stream");
                request.Headers.Add("Last-Event-ID", _lastEventId);
                using var response = await server.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
                response.EnsureSuccessStatusCode();
                await using var stream = await response.Content.ReadAsStreamAsync();
                await foreach (var item in SseParser.Create(stream).EnumerateAsync())
                {
                    LastEventAt = Stopwatch.GetTimestamp();
                    _seen.Add(JsonElement.Parse(item.Data).GetProperty("id").GetString()!);
                    _lastEventId = item.EventId!;
                    if (item.EventType == "session.status_idle")
                    {
                        IsAtWork = false;
                        return;
                    }
                }
            }
            catch (Exception exception) when (IsBroken(exception))
            {
                // The server died. The stream goes on after the last event that was shown.
            }

            await server.Ready();
        }
    }

    private async Task<string?> TryFind(string message)
    {
        try
        {
            return (await List()).Where(@event => @event.GetProperty("type").ValueEquals("user.message")
                    && @event.GetProperty("content")[0].GetProperty("text").ValueEquals(message))
                .Select(@event => @event.GetProperty("id").GetString()).SingleOrDefault();
        }
        catch (Exception exception) when (IsBroken(exception))
        {
            // It died again: the next round asks again, and must not send before it knows.
            await server.Ready();
            return await TryFind(message);
        }
    }

    private async Task<List<JsonElement>> List()
    {
        var events = new List<JsonElement>();
        for (string? page = ""; page is not null;)
        {
            var path = $"/v1/sessions/{id}/events?limit=1000{page}";
            var answer = await server.Client.GetFromJsonAsync<JsonElement>(path);
            events.AddRange(answer.GetProperty("data").EnumerateArray());
            page = answer.GetProperty("next_page").GetString() is { } next ? $"&page={next}" : null;
        }

        return events;
    }

    private static bool IsBroken(Exception exception) =>
        exception is HttpRequestException { StatusCode: null or >= HttpStatusCode.InternalServerError } or IOException;
}

/// <summary>What was counted for one session, or for all of them.</summary>
internal sealed record SoakFaults
{
    public int Events { get; init; }

    public int Lost { get; init; }

    public int Unseen { get; init; }

    public int OutOfOrder { get; init; }

    public int Effects { get; init; }

    public int Twice { get; init; }

    public int Missing { get; init; }

    public int Errors { get; init; }

    public bool IsClean => (Lost, Unseen, OutOfOrder, Twice, Missing, Errors) is (0, 0, 0, 0, 0, 0);

    public static SoakFaults operator +(SoakFaults left, SoakFaults right) => new()
    {
        Events = left.Events + right.Events,
        Lost = left.Lost + right.Lost,
        Unseen = left.Unseen + right.Unseen,
        OutOfOrder = left.OutOfOrder + right.OutOfOrder,
        Effects = left.Effects + right.Effects,
        Twice = left.Twice + right.Twice,
        Missing = left.Missing + right.Missing,
        Errors = left.Errors + right.Errors,
    };
}
