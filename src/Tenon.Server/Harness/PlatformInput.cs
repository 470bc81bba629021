using System.Text.Json;
using Tenon.Server.Tools;
using Tenon.Wire.Agents;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>The input of a platform tool, as a model wrote it.</summary>
internal sealed class PlatformInput
{
    /// <summary>Characters of a message: as many as a result may have.</summary>
    public const int MessageMax = 100_000;

    public const int NameMax = 256;

    private const int SystemMax = 100_000;

    private readonly JsonElement _input;

    private PlatformInput(JsonElement input) => _input = input;

    /// <summary>Whether an agent is made up here.</summary>
    public bool HasNewAgent => _input.TryGetProperty("new_agent", out var agent)
        && agent.ValueKind != JsonValueKind.Null;

    /// <exception cref="PlatformCallException">It is not an object.</exception>
    public static PlatformInput Of(JsonElement input) => input.ValueKind == JsonValueKind.Object
        ? new PlatformInput(input) : throw new PlatformCallException("The input must be an object.");

    /// <summary>A member's text; null when it is not given, or empty.</summary>
    /// <exception cref="PlatformCallException">It is no text, or too long.</exception>
    public string? Text(string name, int max)
    {
        if (!_input.TryGetProperty(name, out var member) || member.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        var text = member.ValueKind == JsonValueKind.String
            ? member.GetString()! : throw new PlatformCallException($"{name} must be a text.");
        return text.Length > max ? throw new PlatformCallException($"{name} has more than {max} characters.")
            : text.Length == 0 ? null : text;
    }

    /// <summary>The agent that is made up: it has tools of its maker's, and the maker's policies on them.</summary>
    /// <exception cref="PlatformCallException">It is not complete, or asks for what its maker has not.</exception>
    public InlineAgent NewAgent(SessionAgent maker) => Of(_input.GetProperty("new_agent")).Agent("new_agent", maker);

    /// <summary>The agent that this input is.</summary>
    public InlineAgent Agent(string path, SessionAgent maker)
    {
        var model = Text("model", NameMax);
        return new InlineAgent
        {
            Name = Text("name", NameMax) ?? throw new PlatformCallException($"{path}.name is required."),
            Description = Text("description", SystemMax),
            System = Text("system", SystemMax) ?? throw new PlatformCallException($"{path}.system is required."),
            Model = model is null || model == maker.Model.Id ? maker.Model : new ModelConfig { Id = model },
            Tools = Tools(path, maker),
            McpServers = maker.McpServers,
            Skills = maker.Skills,
            ExecutionIdentity = maker.ExecutionIdentity,
        };
    }

    private IReadOnlyList<AgentTool> Tools(string path, SessionAgent maker)
    {
        if (!_input.TryGetProperty("tools", out var given) || given.ValueKind == JsonValueKind.Null)
        {
            return maker.Tools;
        }

        if (given.ValueKind != JsonValueKind.Array
            || given.EnumerateArray().Any(name => name.ValueKind != JsonValueKind.String))
        {
            throw new PlatformCallException($"{path}.tools must be a list of names.");
        }

        var names = given.EnumerateArray().Select(name => name.GetString()!).ToHashSet();
        var custom = maker.Tools.OfType<CustomTool>().Select(tool => tool.Name).ToHashSet();
        var unknown = names.FirstOrDefault(name =>
            !custom.Contains(name) && !Permission.IsEnabled(maker.Tools, name));
        return unknown is not null
            ? throw new PlatformCallException($"{path}.tools: you have no tool '{unknown}' yourself.")
            : [.. maker.Tools.Select(tool => Only(tool, names)).OfType<AgentTool>()];
    }

    private static AgentTool? Only(AgentTool tool, HashSet<string> names) => tool switch
    {
        CustomTool custom => names.Contains(custom.Name) ? custom : null,
        AgentToolset toolset => toolset with
        {
            Configs = [.. AgentToolset.ToolNames.Select(name => Only(toolset.Configs, name, names))],
        },
        _ => tool,
    };

    private static ToolConfig Only(IReadOnlyList<ToolConfig>? configs, string name, HashSet<string> names)
    {
        var own = configs?.FirstOrDefault(config => config.Name == name) ?? new ToolConfig { Name = name };
        return names.Contains(name) ? own : own with { Enabled = false };
    }
}

/// <summary>A call of a platform tool that cannot be done; its message is what the model reads.</summary>
internal sealed class PlatformCallException(string message) : Exception(message);
