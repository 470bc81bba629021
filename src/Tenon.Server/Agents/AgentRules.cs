using System.Text.Json;
using System.Text.RegularExpressions;
using Tenon.Server.Http;
using Tenon.Wire.Agents;

namespace Tenon.Server.Agents;

/// <summary>What an agent may be (api B.1). Each check refuses with the path of the field in wire names.</summary>
public static partial class AgentRules
{
    private const int NameMax = 256;
    private const int DescriptionMax = 2_048;
    private const int SystemMax = 100_000;
    private const int ToolsMax = 256;
    private const int UrlMax = 2_048;
    private const int SkillsMax = 500;

    private static readonly string[] Efforts = ["low", "medium", "high", "xhigh", "max"];
    private static readonly string[] Policies =
        [PermissionPolicy.AlwaysAllow, PermissionPolicy.AlwaysAsk, PermissionPolicy.Auto];

    /// <summary>The agent with every default filled in.</summary>
    /// <exception cref="ApiException">400.</exception>
    public static Agent Check(Agent agent)
    {
        Length("name", agent.Name, 1, NameMax);
        Length("description", agent.Description, 0, DescriptionMax);
        Length("system", agent.System, 0, SystemMax);
        CheckModel("model", agent.Model);
        McpServerRules.Check(agent.McpServers);
        CheckSkills(agent.Skills);
        CheckIdentity(agent.ExecutionIdentity);
        Metadata.Check(agent.Metadata);
        return agent with
        {
            Description = Cleared(agent.Description),
            System = Cleared(agent.System),
            Tools = CheckTools(agent.Tools, agent.McpServers),
            Skills = [.. agent.Skills.Select(skill => skill with { Version = skill.Version ?? "latest" })],

            // A patch that gives null has no JSON behind it at all.
            Multiagent = agent.Multiagent is { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined }
                ? null : agent.Multiagent,
        };
    }

    /// <summary>The system prompt; null for an empty one.</summary>
    /// <exception cref="ApiException">400: it is too long.</exception>
    public static string? CheckSystem(string? system)
    {
        Length("system", system, 0, SystemMax);
        return Cleared(system);
    }

    public static void CheckModel(string path, ModelConfig model)
    {
        Length($"{path}.id", model.Id, 1, NameMax);
        if (model.Effort is { } effort && !Efforts.Contains(effort))
        {
            throw ApiException.Invalid($"{path}.effort", $"'{effort}' is not one of {string.Join(", ", Efforts)}.");
        }

        if (model.Speed is not ("standard" or "fast"))
        {
            throw ApiException.Invalid($"{path}.speed", $"'{model.Speed}' is neither standard nor fast.");
        }
    }

    /// <summary>The tools with every default filled in. Toolsets and MCP servers must name each other.</summary>
    public static IReadOnlyList<AgentTool> CheckTools(IReadOnlyList<AgentTool> tools, IReadOnlyList<McpServer> servers)
    {
        if (tools.Count > ToolsMax)
        {
            throw ApiException.Invalid("tools", $"at most {ToolsMax} entries are allowed.");
        }

        var resolved = tools.Select((tool, i) => Resolve($"tools.{i}", tool, tools)).ToList();
        ToolsetRules.Check(resolved);
        var names = new HashSet<string>();
        foreach (var (custom, i) in resolved.Select((tool, i) => (tool as CustomTool, i)))
        {
            if (custom is not null && !names.Add(custom.Name))
            {
                throw ApiException.Invalid($"tools.{i}.name", $"the name '{custom.Name}' is used twice.");
            }
        }

        var referenced = resolved.OfType<McpToolset>().Select(toolset => toolset.McpServerName).ToHashSet();
        var dangling = referenced.FirstOrDefault(name => servers.All(server => server.Name != name));
        if (dangling is not null)
        {
            throw ApiException.Invalid(
                "tools", $"the mcp_toolset names the server '{dangling}', which mcp_servers lacks.");
        }

        var unused = servers.FirstOrDefault(server => !referenced.Contains(server.Name));
        return unused is null
            ? resolved
            : throw ApiException.Invalid(
                "mcp_servers", $"no mcp_toolset in tools refers to the server '{unused.Name}'.");
    }

    private static AgentTool Resolve(string path, AgentTool tool, IReadOnlyList<AgentTool> tools) => tool switch
    {
        AgentToolset toolset => toolset with
        {
            DefaultConfig = Defaults($"{path}.default_config", toolset.DefaultConfig, PermissionPolicy.AlwaysAllow),
            Configs = [.. Configs(path, toolset.Configs)
                .Select((config, i) => ResolveBuiltin($"{path}.configs.{i}", config, toolset, tools))],
        },
        McpToolset toolset => toolset with
        {
            DefaultConfig = Defaults($"{path}.default_config", toolset.DefaultConfig, PermissionPolicy.AlwaysAsk),
            Configs = [.. Configs(path, toolset.Configs).Select((config, i) =>
                Fill($"{path}.configs.{i}", config, toolset.DefaultConfig, PermissionPolicy.AlwaysAsk)
                    with { Type = null })],
        },
        CustomTool custom => CheckCustom(path, custom),
        _ => throw ApiException.Invalid($"{path}.type",
            $"'{tool.Type}' is not one of agent_toolset_20260401, mcp_toolset, custom."),
    };

    private static IReadOnlyList<ToolConfig> Configs(string path, IReadOnlyList<ToolConfig>? given)
    {
        ApiException.RefuseNulls($"{path}.configs", given);
        return given ?? [];
    }

    private static ToolConfig ResolveBuiltin(
        string path, ToolConfig config, AgentToolset toolset, IReadOnlyList<AgentTool> tools)
    {
        if (!AgentToolset.ToolNames.Contains(config.Name))
        {
            throw ApiException.Invalid($"{path}.name",
                $"'{config.Name}' is not one of {string.Join(", ", AgentToolset.ToolNames.Order())}.");
        }

        if (config.Type is { } type && type != config.Name)
        {
            throw ApiException.Invalid($"{path}.type", $"'{type}' is not the tool's name, {config.Name}.");
        }

        var filled = Fill(path, config, toolset.DefaultConfig, PermissionPolicy.AlwaysAllow);
        return WebToolRules.Check(path, filled with { Type = config.Name }, tools);
    }

    private static ToolConfig Fill(string path, ToolConfig config, ToolDefaults? defaults, string policy) => config with
    {
        Enabled = config.Enabled ?? defaults?.Enabled ?? true,
        PermissionPolicy = CheckPolicy(path, config.PermissionPolicy)
            ?? defaults?.PermissionPolicy ?? new PermissionPolicy { Type = policy },
    };

    private static ToolDefaults Defaults(string path, ToolDefaults? given, string policy) => new()
    {
        Enabled = given?.Enabled ?? true,
        PermissionPolicy = CheckPolicy(path, given?.PermissionPolicy) ?? new PermissionPolicy { Type = policy },
    };

    private static PermissionPolicy? CheckPolicy(string path, PermissionPolicy? policy) =>
        policy is null || Policies.Contains(policy.Type)
            ? policy
            : throw ApiException.Invalid($"{path}.permission_policy.type",
                $"'{policy.Type}' is not one of {string.Join(", ", Policies)}.");

    private static CustomTool CheckCustom(string path, CustomTool tool)
    {
        if (!CustomName().IsMatch(tool.Name))
        {
            throw ApiException.Invalid(
                $"{path}.name", "1 to 128 letters, digits, underscores and hyphens are allowed.");
        }

        if (AgentToolset.ToolNames.Contains(tool.Name) || tool.Name.StartsWith("mcp__", StringComparison.Ordinal))
        {
            throw ApiException.Invalid($"{path}.name", $"'{tool.Name}' is reserved.");
        }

        if (tool.Description.Length == 0)
        {
            throw ApiException.Invalid($"{path}.description", "must not be empty.");
        }

        SchemaRules.Check($"{path}.input_schema", tool.InputSchema);
        return tool;
    }

    private static void CheckSkills(IReadOnlyList<SkillReference> skills)
    {
        if (skills.Count > SkillsMax)
        {
            throw ApiException.Invalid("skills", $"at most {SkillsMax} are allowed.");
        }

        ApiException.RefuseNulls("skills", skills);
        for (var i = 0; i < skills.Count; i++)
        {
            if (skills[i].Type is not ("anthropic" or "custom"))
            {
                throw ApiException.Invalid($"skills.{i}.type", $"'{skills[i].Type}' is neither anthropic nor custom.");
            }

            Length($"skills.{i}.skill_id", skills[i].SkillId, 1, NameMax);
        }
    }

    private static void CheckIdentity(ExecutionIdentity identity)
    {
        var known = identity is { Type: "service_account", RoleArn: null }
            or { Type: "aws_role", RoleArn.Length: > 0 and <= UrlMax };
        if (!known)
        {
            throw ApiException.Invalid("execution_identity", "must be service_account, or aws_role with a role_arn.");
        }
    }

    private static void Length(string path, string? value, int min, int max)
    {
        if ((value?.Length ?? min) < min || value?.Length > max)
        {
            throw ApiException.Invalid(path, $"must have {min} to {max} characters.");
        }
    }

    private static string? Cleared(string? value) => value is { Length: > 0 } ? value : null;

    [GeneratedRegex("^[A-Za-z0-9_-]{1,128}$")]
    private static partial Regex CustomName();
}
