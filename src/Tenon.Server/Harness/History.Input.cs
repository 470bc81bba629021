using Tenon.Server.Models;
using Tenon.Server.Tools;
using Tenon.Server.Web;
using Tenon.Wire.Content;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <content>What comes to the thread from outside: input, messages of other threads, and results of calls.</content>
public sealed partial class History
{
    private void ApplyInput(SessionEvent @event)
    {
        if (@event.ProcessedAt is null)
        {
            _waiting.Add(@event);
            return;
        }

        _waiting.RemoveAll(waiting => waiting.Id == @event.Id);
        switch (@event)
        {
            case UserMessage message:
                AddUser([.. message.Content.Select(ToModel)]);
                Urls.Note(UrlSources.UserInput, message.Content);
                (NeedsAnswer, ToolRounds) = (true, 0);
                Progress.Begin();
                break;
            case SystemMessage message:
                AddUser([.. message.Content.Select(ToModel)]);
                Urls.Note(UrlSources.UserInput, message.Content);
                break;
            case AgentThreadMessageReceived message:
                AddMessage(message);
                break;
            case UserToolConfirmation confirmation:
                With(confirmation.ToolUseId, call => (call.Confirmed, call.DenyMessage) =
                    (confirmation.Result == "allow", confirmation.DenyMessage));
                break;
            case UserCustomToolResult result:
                NoteUrls(UrlSources.ClientTool, result.CustomToolUseId, result.Content);
                Resolve(result.CustomToolUseId, result.Content, result.IsError);
                break;
            case UserToolResult result:
                Resolve(result.ToolUseId, result.Content, result.IsError);
                break;
        }
    }

    // The advisor's comes as the result of the call that asked for it.
    private void AddMessage(AgentThreadMessageReceived message)
    {
        if (message.FromAgentName == ThreadAgent.AdvisorName)
        {
            return;
        }

        var from = message.FromAgentName is { } name
            ? new ModelText($"[Message from the agent {name}, thread {message.FromSessionThreadId}]") : null;
        AddUser([.. from is null ? [] : (ModelContent[])[from], .. message.Content.Select(ToModel)]);
        NeedsAnswer = true;
        if (from is null)
        {
            // A task begins anew. Answers of agents do not: who is asked again and again ends at its limit too.
            ToolRounds = 0;
            Progress.Begin();
        }
    }

    private void Resolve(string id, IReadOnlyList<ContentBlock>? content, bool? isError)
    {
        With(id, call => call.Result = new ModelToolResult(call.ProviderId, content ?? [], isError == true));
        if (_round.Count > 0 && _round.TrueForAll(call => !call.IsOpen))
        {
            AddUser([.. _round.Select(call => call.Result!)]);
            Progress.Take(_round);
            (_round, NeedsAnswer) = ([], true);
            ToolRounds++;
        }
    }

    // A user turn grows until the model answers it: two in a row are not allowed by every provider.
    private void AddUser(IReadOnlyList<ModelContent> content)
    {
        if (_messages is [.., { Role: ModelRole.User } last])
        {
            _messages[^1] = last with { Content = [.. last.Content, .. content] };
        }
        else
        {
            _messages.Add(new ModelMessage(ModelRole.User, content));
        }
    }

    private void With(string id, Action<Call> change)
    {
        if (_round.Find(call => call.Id == id) is { } call)
        {
            change(call);
        }
    }

    private static ModelContent ToModel(ContentBlock block) =>
        block is TextBlock text ? new ModelText(text.Text) : new ModelMedia(block);
}
