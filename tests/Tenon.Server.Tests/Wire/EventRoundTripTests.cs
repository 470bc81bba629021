using System.Text.Json;
using Tenon.Server.Tests.Support;
using Tenon.Wire;
using Tenon.Wire.Events;
using Xunit;

namespace Tenon.Server.Tests.Wire;

/// <summary>Every event of api section C, read and written again.</summary>
public sealed class EventRoundTripTests
{
    private const string Text = """[{"type":"text","text":"hé \"quoted\" 日本"}]""";

    /// <summary>The fields of each type beside id, type and processed_at.</summary>
    private static readonly Dictionary<string, string> Fields = new()
    {
        ["user.message"] = $"\"content\":{Text}",
        ["user.interrupt"] = "\"session_thread_id\":\"sthr_1\"",
        ["user.tool_confirmation"] = "\"tool_use_id\":\"sevt_2\",\"result\":\"deny\",\"deny_message\":\"no\"",
        ["user.custom_tool_result"] = $"\"custom_tool_use_id\":\"sevt_2\",\"content\":{Text},\"is_error\":true",
        ["user.tool_result"] = $"\"tool_use_id\":\"sevt_2\",\"content\":{Text},\"is_error\":false",
        ["user.define_outcome"] =
            "\"outcome_id\":\"outc_1\",\"description\":\"d\",\"rubric\":{\"type\":\"text\",\"content\":\"c\"},"
                + "\"max_iterations\":3",
        ["system.message"] = $"\"content\":{Text}",
        ["agent.message"] = $"\"content\":{Text}",
        ["agent.thinking"] = "",
        ["agent.tool_use"] = """
            "name":"bash","input":{"command":"ls"},"evaluated_permission":"ask","session_thread_id":"sthr_1",
            "evaluation":{"type":"auto","evaluated_permission":{"type":"ask","reason_code":"high_risk"}}
            """,
        ["agent.tool_result"] = $"\"tool_use_id\":\"sevt_2\",\"content\":{Text},\"is_error\":true",
        ["agent.mcp_tool_use"] = """
            "mcp_server_name":"s","name":"t","input":{},"evaluated_permission":"allow",
            "evaluation":{"type":"always_allow"}
            """,
        ["agent.mcp_tool_result"] = $"\"mcp_tool_use_id\":\"sevt_2\",\"content\":{Text},\"is_error\":false",
        ["agent.custom_tool_use"] = "\"name\":\"t\",\"input\":{\"a\":[1,2.50,null]}",
        ["agent.thread_message_sent"] =
            $"\"to_session_thread_id\":\"sthr_2\",\"to_agent_name\":\"n\",\"content\":{Text}",
        ["agent.thread_message_received"] = $"\"from_session_thread_id\":\"sthr_2\",\"content\":{Text}",
        ["agent.thread_context_compacted"] = "",
        ["session.status_running"] = "",
        ["session.status_idle"] = """
            "stop_reason":{"type":"requires_action","event_ids":["sevt_2"]},"stop_details":null
            """,
        ["session.status_rescheduled"] = "",
        ["session.status_terminated"] = "",
        ["session.error"] = """
            "error":{"type":"mcp_connection_failed_error","message":"m","retry_status":{"type":"retrying"},
                     "mcp_server_name":"s"}
            """,
        ["session.updated"] = "\"title\":\"t\",\"metadata\":{\"k\":\"v\"}",
        ["session.deleted"] = "",
        ["session.usage"] = """
            "usage":{"input_tokens":1,"output_tokens":2,"active_seconds":1.5,
                     "list_cost":{"amount":"3","currency":"USD"} },
            "budget":{"type":"limit","max_list_cost":{"amount":"3","currency":"USD"} }
            """,
        ["session.thread_created"] = "\"session_thread_id\":\"sthr_2\",\"agent_name\":\"n\",\"workflow_run_id\":\"w\"",
        ["session.thread_status_running"] = "\"session_thread_id\":\"sthr_1\",\"agent_name\":\"n\"",
        ["session.thread_status_idle"] = """
            "session_thread_id":"sthr_1","agent_name":"n","stop_reason":{"type":"refusal"},
            "stop_details":{"type":"refusal","category":"cyber","explanation":null}
            """,
        ["session.thread_status_rescheduled"] = "\"session_thread_id\":\"sthr_1\",\"agent_name\":\"n\"",
        ["session.thread_status_terminated"] = "\"session_thread_id\":\"sthr_1\",\"agent_name\":\"n\"",
        ["span.model_request_start"] = "",
        ["span.model_request_end"] = """
            "model_request_start_id":"sevt_2","is_error":false,
            "model_usage":{"input_tokens":1,"output_tokens":2,"cache_creation_input_tokens":3,
                           "cache_read_input_tokens":4,"speed":"fast"}
            """,
        ["span.outcome_evaluation_start"] = "\"outcome_id\":\"outc_1\",\"iteration\":0",
        ["span.outcome_evaluation_ongoing"] = "\"outcome_id\":\"outc_1\",\"iteration\":1",
        ["span.outcome_evaluation_end"] = """
            "outcome_evaluation_start_id":"","outcome_id":"outc_1","iteration":2,"result":"satisfied","explanation":"e",
            "usage":{"input_tokens":1,"output_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}
            """,
        ["workflow_run.created"] = """
            "workflow_run_id":"w","name":"n","description":null,"phases":[{"id":"p","name":"n","description":null}]
            """,
        ["workflow_run.status_running"] = "\"workflow_run_id\":\"w\"",
        ["workflow_run.status_idle"] = "\"workflow_run_id\":\"w\"",
        ["workflow_run.phase_started"] = "\"workflow_run_id\":\"w\",\"workflow_run_phase_id\":\"p\"",
        ["workflow_run.phase_ended"] =
            "\"workflow_run_id\":\"w\",\"workflow_run_phase_id\":\"p\",\"phase_started_id\":\"sevt_2\"",
        ["workflow_run.error"] = "\"workflow_run_id\":null,\"error\":{\"type\":\"timeout_error\",\"message\":\"m\"}",
        ["workflow_run.status_ended"] = "\"workflow_run_id\":\"w\",\"result\":{\"type\":\"completed\"}",
    };

    public static TheoryData<string> Types => [.. SessionEventConverter.KnownTypes];

    [Theory]
    [MemberData(nameof(Types))]
    public void An_event_round_trips_with_its_type_first_and_unknown_fields_kept(string type)
    {
        var fields = Fields[type].Length > 0 ? "," + Fields[type] : "";
        var json = $$"""
            {"new_field":{"deep":[1]},"id":"sevt_1","processed_at":"2026-01-02T03:04:05.000006Z"{{fields}},
             "type":"{{type}}"}
            """;

        var read = JsonSerializer.Deserialize(json, WireJson.Default.SessionEvent)!;
        var written = JsonSerializer.SerializeToElement(read, WireJson.Default.SessionEvent);

        Assert.IsNotType<UnknownEvent>(read);
        Assert.Equal((type, "sevt_1"), (read.Type, read.Id));
        Assert.Equal(["type", "id"], written.Names().Take(2));
        Contains(JsonElement.Parse(json), written);
    }

    [Fact]
    public void The_table_above_has_every_type_and_no_other() =>
        Assert.Equal(SessionEventConverter.KnownTypes.Order(), Fields.Keys.Order());

    [Fact]
    public void An_event_of_an_unknown_type_survives_as_it_came()
    {
        const string Json = """{"id":"sevt_1","type":"agent.dreamt","of":{"sheep":[1, 2.0]},"processed_at":null}""";

        var read = JsonSerializer.Deserialize(Json, WireJson.Default.SessionEvent)!;

        Assert.Equal("agent.dreamt", Assert.IsType<UnknownEvent>(read).Type);
        JsonAssert.Equal(Json, JsonSerializer.SerializeToElement(read, WireJson.Default.SessionEvent));
    }

    /// <summary>Everything that was read is written; what is written besides says only that nothing is there.</summary>
    private static void Contains(JsonElement expected, JsonElement actual)
    {
        if (expected.ValueKind != JsonValueKind.Object)
        {
            JsonAssert.Equal(expected.GetRawText(), actual);
            return;
        }

        foreach (var member in expected.EnumerateObject())
        {
            Contains(member.Value, actual.GetProperty(member.Name));
        }
    }
}
