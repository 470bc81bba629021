using System.Text.Json;

namespace Tenon.Server.Tests.Support;

/// <summary>A stand-in for a service that speaks chat completions, on loopback. It needs this file,
/// <see cref="ScriptedService"/> and <see cref="Reply"/>, and nothing else. Thinking is not in its format.</summary>
public sealed class OpenAiService : IAsyncDisposable
{
    public OpenAiService() => Script = new ScriptedService(new ChatFormat());

    /// <summary>The service without its provider, for tests that hold for every provider.</summary>
    public ScriptedService Script { get; }

    /// <summary>For <c>OPENAI_BASE_URL</c>.</summary>
    public string Url => Script.Url + "/v1";

    public IReadOnlyList<ServiceRequest> Requests => Script.Requests;

    public void Enqueue(params Reply[] replies) => Script.Enqueue(replies);

    public ValueTask DisposeAsync() => Script.DisposeAsync();

    private sealed class ChatFormat : IReplyFormat
    {
        /// <summary>Small enough that the arguments of every call come in several deltas.</summary>
        private const int InputFragmentChars = 7;

        private int calls;

        public string Path => "/v1/chat/completions";

        public IEnumerable<string> Frames(Reply reply, JsonElement request)
        {
            yield return Delta(new { role = "assistant", content = "" });
            foreach (var fragment in reply.Blocks.OfType<ReplyText>().SelectMany(text => text.Fragments))
            {
                yield return Delta(new { content = fragment });
            }

            var index = 0;
            foreach (var use in reply.Blocks.OfType<ReplyToolUse>())
            {
                foreach (var frame in Call(use, index++))
                {
                    yield return frame;
                }
            }

            if (reply.Refused?.Explanation is { } explanation)
            {
                yield return Delta(new { refusal = explanation });
            }

            if (reply.Ending == ReplyEnding.Whole)
            {
                yield return Frame(new[] { new { index = 0, delta = new { }, finish_reason = Finish(reply) } });
                yield return Frame(Array.Empty<object>(), Usage(reply.Usage));
                yield return "data: [DONE]\n\n";
            }
        }

        public string Error(ReplyError failure) => JsonSerializer.Serialize(new
        {
            error = new { message = failure.Message, type = "scripted_error", code = failure.Type },
        });

        private static string Finish(Reply reply) => reply.StopReason
            ?? (reply is { Refused: { Explanation: null } } ? "content_filter"
                : reply.Blocks.Any(block => block is ReplyToolUse) ? "tool_calls" : "stop");

        private IEnumerable<string> Call(ReplyToolUse use, int index)
        {
            var id = use.Id ?? $"call_{Interlocked.Increment(ref calls)}";
            yield return Delta(new
            {
                tool_calls = new[]
                {
                    new { index, id, type = "function", function = new { name = use.Name, arguments = "" } },
                },
            });
            foreach (var part in use.Input.Chunk(InputFragmentChars))
            {
                yield return Delta(new
                {
                    tool_calls = new[] { new { index, function = new { arguments = new string(part) } } },
                });
            }
        }

        // Chat services count what their cache gave as input too.
        private static object Usage(ReplyUsage usage) => new
        {
            prompt_tokens = usage.Input + usage.CacheRead,
            completion_tokens = usage.Output,
            total_tokens = usage.Input + usage.CacheRead + usage.Output,
            prompt_tokens_details = new { cached_tokens = usage.CacheRead },
        };

        private static string Delta(object delta) =>
            Frame(new[] { new { index = 0, delta, finish_reason = (string?)null } });

        private static string Frame(object choices, object? usage = null) => "data: " + JsonSerializer.Serialize(new
        {
            id = "chatcmpl-scripted",
            @object = "chat.completion.chunk",
            created = 1,
            model = "scripted",
            choices,
            usage,
        }) + "\n\n";
    }
}
