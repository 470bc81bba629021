using System.Text;
using Tenon.Server.Files;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Events;

namespace Tenon.Server.Sessions;

/// <summary>What an outcome may be (api C.8), and the text of rubrics that are files.</summary>
public sealed class OutcomeRules(FileStore files, IBlobStore blobs, TimeProvider clock)
{
    /// <summary>The documented number, in characters.</summary>
    private const int RubricMax = 262_144;

    /// <summary>Characters, as many as of a rubric: both stand in the agent's conversation.</summary>
    private const int DescriptionMax = RubricMax;

    private const int IterationsMax = 20;

    /// <summary>No character of UTF-8 has more bytes, nor a beginning.</summary>
    private const int RubricBytesMax = (RubricMax * 4) + 3;

    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>What does not depend on the session.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static void Check(string path, UserDefineOutcome outcome)
    {
        if (string.IsNullOrWhiteSpace(outcome.Description) || outcome.Description.Length > DescriptionMax)
        {
            throw ApiException.Invalid($"{path}.description", $"must have 1 to {DescriptionMax} characters.");
        }

        if (outcome.MaxIterations is < 1 or > IterationsMax)
        {
            throw ApiException.Invalid($"{path}.max_iterations", $"must be a number from 1 to {IterationsMax}.");
        }

        var rubric = outcome.Rubric;
        if (rubric.Type is not ("text" or "file"))
        {
            throw ApiException.Invalid($"{path}.rubric.type", $"'{rubric.Type}' is neither text nor file.");
        }

        if (rubric.Type == "text")
        {
            CheckText($"{path}.rubric.content", rubric.Content);
        }
        else if (rubric.FileId is null)
        {
            throw ApiException.Invalid($"{path}.rubric.file_id", "field required");
        }
    }

    /// <summary>One outcome is worked towards at a time.</summary>
    /// <param name="active">The session's; null when it has none.</param>
    /// <exception cref="ApiException">400 with the event's place.</exception>
    public static void CheckAlone(string path, IReadOnlyList<SessionEvent> events, int i, Outcome? active)
    {
        if (events[i] is UserDefineOutcome && active is not null)
        {
            throw ApiException.Invalid(path, $"outcome '{active.Id}' is still worked towards, and there is one at a "
                + "time: wait for its last span.outcome_evaluation_end, or interrupt it.");
        }

        if (events[i] is UserDefineOutcome && events.Take(i).Any(other => other is UserDefineOutcome))
        {
            throw ApiException.Invalid(path, "only one user.define_outcome is allowed at a time.");
        }
    }

    /// <summary>An outcome as the log has it, and what the model is told of it.</summary>
    public static IReadOnlyList<object> Begun(SessionLog session, UserDefineOutcome outcome, IdSource ids)
    {
        var begun = (UserDefineOutcome)session.Stamp(outcome with { OutcomeId = ids.Next(IdPrefix.Outcome) });
        return [begun, OutcomeWords.Task(begun)];
    }

    /// <summary>The events with the text of rubrics that are files in their place.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public async Task<IReadOnlyList<SessionEvent>> Resolve(
        string path, IReadOnlyList<SessionEvent> events, CancellationToken cancellationToken)
    {
        var resolved = events.ToList();
        for (var i = 0; i < resolved.Count; i++)
        {
            if (resolved[i] is not UserDefineOutcome outcome)
            {
                continue;
            }

            Check($"{path}.{i}", outcome);
            if (outcome.Rubric is { Type: "file", FileId: { } id })
            {
                var text = await Read($"{path}.{i}.rubric.file_id", id, cancellationToken);
                outcome = outcome with { Rubric = new OutcomeRubric { Type = "text", Content = text } };
            }

            resolved[i] = outcome;
        }

        return resolved;
    }

    private async Task<string> Read(string path, string id, CancellationToken cancellationToken)
    {
        var file = await files.Find(id, cancellationToken);
        if (file is null || FileRules.IsExpired(file.Record, clock.GetUtcNow()))
        {
            throw ApiException.Invalid(path, $"file '{id}' was not found.");
        }

        if (MediaLimits.KindOf(file.Record.MimeType) != MediaKind.Text)
        {
            throw ApiException.Invalid(path, $"file '{id}' has the type {file.Record.MimeType}; a rubric is a text, "
                + "such as text/markdown or text/plain.");
        }

        var text = file.Record.SizeBytes > RubricBytesMax
            ? throw TooLong(path) : Decode(path, id, await Bytes(path, file, cancellationToken));
        CheckText(path, text);
        return text;
    }

    private async Task<byte[]> Bytes(string path, StoredFile file, CancellationToken cancellationToken)
    {
        await using var content = await blobs.Open(file.Blob, cancellationToken)
            ?? throw ApiException.Invalid(path, $"file '{file.Record.Id}' was not found.");
        var bytes = new byte[file.Record.SizeBytes];
        await content.ReadExactlyAsync(bytes, cancellationToken);
        return bytes;
    }

    private static string Decode(string path, string id, ReadOnlySpan<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes.StartsWith(Encoding.UTF8.Preamble)
                ? bytes[Encoding.UTF8.Preamble.Length..] : bytes);
        }
        catch (DecoderFallbackException)
        {
            // The client's fault: what it has uploaded is no text.
            throw ApiException.Invalid(path, $"file '{id}' is not a text in UTF-8.");
        }
    }

    private static void CheckText(string path, string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            throw ApiException.Invalid(path, text is null ? "field required" : "the rubric must not be empty.");
        }

        if (text.Length > RubricMax)
        {
            throw TooLong(path);
        }
    }

    private static ApiException TooLong(string path) =>
        ApiException.Invalid(path, $"a rubric has at most {RubricMax} characters.");
}
