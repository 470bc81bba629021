using System.Text.Json;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Models.Beta.Sessions.Events;

namespace Tenon.Conformance.Support;

/// <summary>The events that clients send, in few words; and what the tests read of those that come.</summary>
public static class Events
{
    public static BetaManagedAgentsEventParams Message(string text) => new BetaManagedAgentsUserMessageEventParams
    {
        Content = [new BetaManagedAgentsTextBlock { Text = text }],
    };

    public static BetaManagedAgentsEventParams Interrupt() => new BetaManagedAgentsUserInterruptEventParams();

    public static BetaManagedAgentsEventParams Allow(string id) => new BetaManagedAgentsUserToolConfirmationEventParams
    {
        ToolUseID = id,
        Result = BetaManagedAgentsUserToolConfirmationEventParamsResult.Allow,
    };

    public static BetaManagedAgentsEventParams Deny(string id, string why) =>
        new BetaManagedAgentsUserToolConfirmationEventParams
        {
            ToolUseID = id,
            Result = BetaManagedAgentsUserToolConfirmationEventParamsResult.Deny,
            DenyMessage = why,
        };

    public static BetaManagedAgentsEventParams ToolResult(string id, string text) =>
        new BetaManagedAgentsUserCustomToolResultEventParams
        {
            CustomToolUseID = id,
            Content = [new BetaManagedAgentsTextBlock { Text = text }],
            IsError = false,
        };

    public static BetaManagedAgentsEventParams SandboxResult(string id, string text) =>
        new BetaManagedAgentsUserToolResultEventParams
        {
            ToolUseID = id,
            Content = [new BetaManagedAgentsTextBlock { Text = text }],
        };

    public static BetaManagedAgentsEventParams Instruction(string text) => new BetaManagedAgentsSystemMessageEventParams
    {
        Content = [new BetaManagedAgentsSystemContentBlock { Text = text }],
    };

    public static string Type(this JsonElement @event) => @event.GetProperty("type").GetString()!;

    /// <summary>Null for previews, which have no id of their own.</summary>
    public static string? Id(this JsonElement @event) =>
        @event.TryGetProperty("id", out var id) ? id.GetString() : null;

    /// <summary>A member that is a name, an id or another word; null when it is not there.</summary>
    public static string? Name(this JsonElement @event, string member) =>
        @event.TryGetProperty(member, out var value) ? value.GetString() : null;

    /// <summary>The text of an event's content.</summary>
    public static string Text(this JsonElement @event) => string.Concat(
        @event.GetProperty("content").EnumerateArray().Select(block => block.GetProperty("text").GetString()));

    /// <summary>Part of an event that is still being made, which is never stored.</summary>
    public static bool IsPreview(this JsonElement @event) => @event.Type() is "event_start" or "event_delta";

    public static string StopReason(this JsonElement idle) =>
        idle.GetProperty("stop_reason").GetProperty("type").GetString()!;

    public static List<string> Types(this IEnumerable<JsonElement> events) => [.. events.Select(Type)];

    public static List<string?> Ids(this IEnumerable<JsonElement> events) => [.. events.Select(Id)];

    public static JsonElement The(this IEnumerable<JsonElement> events, string type) =>
        events.Single(@event => @event.Type() == type);
}
