using System.Text.Json;

namespace Tenon.Server.Tests.Support;

/// <summary>A stand-in for Anthropic's Messages API on loopback. It needs this file, <see cref="ScriptedService"/>
/// and <see cref="Reply"/>, and nothing else.</summary>
public sealed class AnthropicService : IAsyncDisposable
{
    public AnthropicService() => Script = new ScriptedService(new MessagesFormat());

    /// <summary>The service without its provider, for tests that hold for every provider.</summary>
    public ScriptedService Script { get; }

    /// <summary>For <c>ANTHROPIC_BASE_URL</c>.</summary>
    public string Url => Script.Url;

    public IReadOnlyList<ServiceRequest> Requests => Script.Requests;

    /// <summary>Decides by the request's body when nothing is queued.</summary>
    public Func<JsonElement, Reply>? Responder
    {
        get => Script.Responder;
        set => Script.Responder = value;
    }

    public void Enqueue(params Reply[] replies) => Script.Enqueue(replies);

    public ValueTask<ServiceRequest> Received(CancellationToken cancellationToken) =>
        Script.Received(cancellationToken);

    public ValueTask DisposeAsync() => Script.DisposeAsync();

    private sealed class MessagesFormat : IReplyFormat
    {
        /// <summary>Small enough that the input of every call comes in several deltas.</summary>
        private const int InputFragmentChars = 7;

        private int calls;

        public string Path => "/v1/messages";

        public IEnumerable<string> Frames(Reply reply, JsonElement request)
        {
            yield return Frame("message_start", new { type = "message_start", message = Start(reply.Usage, request) });
            yield return Frame("ping", new { type = "ping" });
            for (var index = 0; index < reply.Blocks.Count; index++)
            {
                foreach (var frame in Block(reply.Blocks[index], index))
                {
                    yield return frame;
                }

                if (reply.Ending is not (ReplyEnding.Cut or ReplyEnding.Hang))
                {
                    yield return Frame("content_block_stop", new { type = "content_block_stop", index });
                }
            }

            if (reply.Failure is { } failure)
            {
                yield return $"event: error\ndata: {Error(failure)}\n\n";
            }
            else if (reply.Ending == ReplyEnding.Whole)
            {
                yield return Frame("message_delta", End(reply));
                yield return Frame("message_stop", new { type = "message_stop" });
            }
        }

        public string Error(ReplyError failure) => JsonSerializer.Serialize(new
        {
            type = "error",
            error = new { type = failure.Type, message = failure.Message },
            request_id = "req_scripted",
        });

        private static object Start(ReplyUsage usage, JsonElement request) => new
        {
            id = "msg_scripted",
            type = "message",
            role = "assistant",
            model = request.GetProperty("model").GetString(),
            content = Array.Empty<object>(),
            stop_reason = (string?)null,
            stop_sequence = (string?)null,
            usage = new
            {
                input_tokens = usage.Input,
                output_tokens = 1,
                cache_read_input_tokens = usage.CacheRead,
                cache_creation_input_tokens = usage.CacheWrite5m + usage.CacheWrite1h,
                cache_creation = new
                {
                    ephemeral_5m_input_tokens = usage.CacheWrite5m,
                    ephemeral_1h_input_tokens = usage.CacheWrite1h,
                },
            },
        };

        private static object End(Reply reply) => new
        {
            type = "message_delta",
            delta = new
            {
                stop_reason = reply.StopReason ?? (reply.Refused is not null ? "refusal"
                    : reply.Blocks.Any(block => block is ReplyToolUse) ? "tool_use" : "end_turn"),
                stop_sequence = (string?)null,
                stop_details = reply.Refused is { } refused
                    ? new { type = "refusal", category = refused.Category, explanation = refused.Explanation }
                    : null,
            },
            usage = new { output_tokens = reply.Usage.Output },
        };

        private IEnumerable<string> Block(ReplyBlock block, int index)
        {
            switch (block)
            {
                case ReplyText text:
                    yield return Begin(index, new { type = "text", text = "" });
                    foreach (var fragment in text.Fragments)
                    {
                        yield return Delta(index, new { type = "text_delta", text = fragment });
                    }

                    break;
                case ReplyThinking thinking:
                    yield return Begin(index, new { type = "thinking", thinking = "", signature = "" });
                    yield return Delta(index, new { type = "thinking_delta", thinking = thinking.Thinking });
                    yield return Delta(index, new { type = "signature_delta", signature = thinking.Signature });
                    break;
                case ReplyRedacted redacted:
                    yield return Begin(index, new { type = "redacted_thinking", data = redacted.Data });
                    break;
                case ReplyToolUse use:
                    var id = use.Id ?? $"toolu_{Interlocked.Increment(ref calls)}";
                    yield return Begin(index, new { type = "tool_use", id, name = use.Name, input = new { } });
                    foreach (var part in use.Input.Chunk(InputFragmentChars))
                    {
                        yield return Delta(index, new { type = "input_json_delta", partial_json = new string(part) });
                    }

                    break;
            }
        }

        private static string Begin(int index, object block) =>
            Frame("content_block_start", new { type = "content_block_start", index, content_block = block });

        private static string Delta(int index, object delta) =>
            Frame("content_block_delta", new { type = "content_block_delta", index, delta });

        private static string Frame(string name, object data) =>
            $"event: {name}\ndata: {JsonSerializer.Serialize(data)}\n\n";
    }
}
