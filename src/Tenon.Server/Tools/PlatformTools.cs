using System.Text.Json;
using Tenon.Server.Models;

namespace Tenon.Server.Tools;

/// <summary>
/// Tools that the harness itself answers: they make agents work together. They are offered to the primary thread of an
/// agent with a roster, and what they do is told by thread events, not as tool calls (api C.9).
/// </summary>
public static class PlatformTools
{
    public const string ListAgents = "list_agents";
    public const string SendToAgent = "send_to_agent";
    public const string ConsultAdvisor = "consult_advisor";
    public const string StartRun = "start_workflow_run";
    public const string StopRun = "stop_workflow_run";

    public static ModelTool List { get; } = Tool(
        ListAgents,
        "Lists the agents that you can give work to, and the threads in which they work or have worked: who works in "
            + "each, and whether it is running or idle.",
        """{"type":"object","properties":{}}""");

    public static ModelTool Send { get; } = Tool(
        SendToAgent,
        "Gives work to another agent, or writes to one that has worked before. You go on at once: its answer comes to "
            + "you as a message, also after your turn has ended. All agents share the sandbox and its files, and "
            + "nothing else: say all that the agent must know. Call it several times in one answer to have agents work "
            + "at the same time.",
        """
        {"type":"object","required":["message"],"properties":{
          "agent":{"type":"string","description":"The name of the agent that is to begin in a thread of its own."},
          "thread_id":{"type":"string","description":
            "In place of agent: the thread to write to. Its agent remembers what it did there."},
          "message":{"type":"string","description":"The task, the answer or the question."}}}
        """);

    /// <summary>The same for who can also make up agents.</summary>
    public static ModelTool SendOrDefine { get; } = Tool(
        SendToAgent,
        Send.Description + " You can also make up the agent.",
        """
        {"type":"object","required":["message"],"properties":{
          "agent":{"type":"string","description":"The name of the agent that is to begin in a thread of its own."},
          "thread_id":{"type":"string","description":
            "In place of agent: the thread to write to. Its agent remembers what it did there."},
          "new_agent":{"type":"object","required":["name","system"],"description":
            "In place of agent: one that you make up for this thread.","properties":{
              "name":{"type":"string","description":"1 to 256 characters."},
              "description":{"type":"string"},
              "system":{"type":"string","description":"Its system prompt."},
              "model":{"type":"string","description":"A model's id. Default: your own model."},
              "tools":{"type":"array","items":{"type":"string"},"description":
                "Those of your own tools that it has. Default: all of them."}}},
          "message":{"type":"string","description":"The task, the answer or the question."}}}
        """);

    public static ModelTool Consult { get; } = Tool(
        ConsultAdvisor,
        "Asks a more experienced model for advice: on a plan, when you are stuck, or before you finish. It sees the "
            + "conversation so far, and cannot act. You wait for what it says.",
        """
        {"type":"object","required":["question"],"properties":{
          "question":{"type":"string","description":"What you want advice on."}}}
        """);

    public static ModelTool Start { get; } = Tool(
        StartRun,
        """
        Starts a workflow run: a plan that gives work to many agents, in the background, while you go on. When it ends
        you get a message with what its program returned. The program is JavaScript, run once, without any access
        beside these functions:
        startAgent(agent, task) begins an agent in a thread of its own and gives a handle at once. agent is a name, or
        an object {name, system, model, tools} that makes one up.
        wait(handle) gives what the agent said last, and throws when it failed. waitAll(handles) gives all of them in
        their order. waitAny(handles) gives {index, text} of the first that has finished.
        phase(name, function) runs the function as one of the phases that you have declared, and gives what it returns.
        The program must do the same each time it is run: there is no time and no chance in it. Return a text or plain
        data.
        """,
        """
        {"type":"object","required":["program"],"properties":{
          "name":{"type":"string","description":"What the run is called. Default: a name of the server's."},
          "description":{"type":"string"},
          "phases":{"type":"array","items":{"type":"object","required":["name"],"properties":{
            "name":{"type":"string"},"description":{"type":"string"}}}},
          "program":{"type":"string","description":"The body of a function, which may return."}}}
        """);

    public static ModelTool Stop { get; } = Tool(
        StopRun,
        "Ends a workflow run and all that its agents are doing.",
        """
        {"type":"object","required":["workflow_run_id"],"properties":{"workflow_run_id":{"type":"string"}}}
        """);

    private static ModelTool Tool(string name, string description, string schema) =>
        new(name, description, JsonElement.Parse(schema));
}
