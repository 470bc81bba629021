using Tenon.Server.Agents;
using Tenon.Server.Billing;
using Tenon.Server.Environments;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Server.Memory;
using Tenon.Server.Vaults;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Environments;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>What a session may be made of (api B.3), and which agent it then runs.</summary>
public sealed class SessionRules(
    AgentStore agents, EnvironmentStore environments, VaultStore vaults, MemoryStore memories, FileSourceRules sources,
    OutcomeRules outcomes, SessionRosterRules rosters, Prices prices)
{
    private const int InitialEventsMax = 50;

    /// <summary>As many as a deployment may have (api B.9).</summary>
    private const int VaultsMax = 50;

    /// <summary>The definition that the request asks for, with nothing written yet.</summary>
    /// <exception cref="ApiException">400 or 404, with the field.</exception>
    public async Task<SessionDefinition> Check(SessionCreate create, CancellationToken cancellationToken)
    {
        var environment = await FindEnvironment(create.EnvironmentId, cancellationToken);
        var isSelfHosted = environment.Config.Type == "self_hosted";
        if (isSelfHosted && create.Resources?.Any(resource => resource?.Type is "file" or "github_repository") == true)
        {
            throw NoMounts(create.EnvironmentId);
        }

        ApiException.RefuseNulls("resources", create.Resources);
        await CheckVaults(create.VaultIds ?? [], cancellationToken);
        var limits = new Dictionary<string, AgentLimits>();
        var (agent, described) = await rosters.Resolve(
            await Resolve(create.Agent.Body, limits, cancellationToken), isSelfHosted, limits, cancellationToken);
        if (create.InitialEvents is { Count: > InitialEventsMax })
        {
            throw ApiException.Invalid("initial_events", $"at most {InitialEventsMax} are allowed.");
        }

        for (var i = 0; i < (create.InitialEvents?.Count ?? 0); i++)
        {
            CheckInitial($"initial_events.{i}", create.InitialEvents![i]);
            OutcomeRules.CheckAlone($"initial_events.{i}", create.InitialEvents, i, active: null);
        }

        var attached = await MemoryResourceRules.Check(create.Resources ?? [], memories, cancellationToken);
        await sources.Check("initial_events", create.InitialEvents ?? [], cancellationToken);
        return new SessionDefinition
        {
            Agent = agent,
            Skills = described,
            Limits = limits,
            Title = create.Title,
            Budget = BudgetRules.Check(create.Budget, agent, prices),
            Metadata = Metadata.Check(create.Metadata),
            IsSelfHosted = isSelfHosted,
            VaultIds = create.VaultIds ?? [],
            Memories = attached,
        };
    }

    /// <summary>The events that the session begins with, as its log has them.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public Task<IReadOnlyList<SessionEvent>> InitialEvents(SessionCreate create, CancellationToken cancellationToken) =>
        outcomes.Resolve("initial_events", create.InitialEvents ?? [], cancellationToken);

    /// <summary>The content of a message: text, images and documents that say where they come from.</summary>
    public static void CheckContent(string path, IReadOnlyList<ContentBlock> content)
    {
        if (content.Count == 0)
        {
            throw ApiException.Invalid(path, "must not be empty.");
        }

        for (var i = 0; i < content.Count; i++)
        {
            var source = content[i] switch
            {
                TextBlock => null,
                ImageBlock image => image.Source,
                DocumentBlock document => document.Source,
                var other => throw ApiException.Invalid($"{path}.{i}.type",
                    $"'{other.Type}' is not one of text, image, document."),
            };
            if (source is not null)
            {
                CheckSource($"{path}.{i}.source", source, allowText: content[i] is DocumentBlock);
            }
        }
    }

    private static void CheckSource(string path, MediaSource source, bool allowText)
    {
        var missing = source.Type switch
        {
            "base64" => source.MediaType is null ? "media_type" : source.Data is null ? "data" : null,
            "text" when allowText => source.Data is null ? "data" : null,
            "url" => source.Url is null ? "url" : null,
            "file" => source.FileId is null ? "file_id" : null,
            _ => throw ApiException.Invalid($"{path}.type", $"'{source.Type}' is not a kind of source."),
        };
        if (missing is not null)
        {
            throw ApiException.Invalid($"{path}.{missing}", "field required");
        }
    }

    private async Task CheckVaults(IReadOnlyList<string> ids, CancellationToken cancellationToken)
    {
        ApiException.RefuseNulls("vault_ids", ids);
        if (ids.Count > VaultsMax)
        {
            throw ApiException.Invalid("vault_ids", $"at most {VaultsMax} are allowed.");
        }

        var found = ids.Count == 0 ? [] : await vaults.Find(ids, cancellationToken);
        for (var i = 0; i < ids.Count; i++)
        {
            var vault = found.FirstOrDefault(vault => vault.Id == ids[i])
                ?? throw ApiException.NotFound("Vault", ids[i]);
            if (vault.ArchivedAt is not null)
            {
                throw ApiException.Invalid($"vault_ids.{i}", $"vault '{vault.Id}' is archived.");
            }

            if (ids.Take(i).Contains(vault.Id))
            {
                throw ApiException.Invalid($"vault_ids.{i}", $"vault '{vault.Id}' is in the list twice.");
            }
        }
    }

    private static void CheckInitial(string path, SessionEvent @event)
    {
        switch (@event)
        {
            case UserMessage message:
                CheckContent($"{path}.content", message.Content);
                break;
            case UserDefineOutcome outcome:
                OutcomeRules.Check(path, outcome);
                break;
            default:
                throw ApiException.Invalid($"{path}.type",
                    $"'{@event.Type}' cannot start a session; user.message and user.define_outcome can.");
        }
    }

    /// <summary>Tenon mounts nothing in a sandbox that is not its own (api B.3).</summary>
    public static ApiException NoMounts(string environmentId) => ApiException.Invalid("",
        $"Environment {environmentId} is a self-hosted environment. "
        + "`resources` are not supported with self-hosted environments.");

    private async Task<EnvironmentRecord> FindEnvironment(string id, CancellationToken cancellationToken)
    {
        var environment = await environments.Find(id, cancellationToken)
            ?? throw new ApiException(new Refusal(
                404, Wire.Http.ErrorTypes.NotFound, $"Environment '{id}' was not found.", "environment_not_found"));
        if (environment.ArchivedAt is not null)
        {
            throw ApiException.Invalid("environment_id", $"environment '{id}' is archived.", "environment_archived");
        }

        return environment;
    }

    private async Task<SessionAgent> Resolve(
        AgentSelectionBody selection, Dictionary<string, AgentLimits> limits, CancellationToken cancellationToken)
    {
        if (selection.Type is not ("agent" or "agent_with_overrides"))
        {
            throw ApiException.Invalid("agent.type", $"'{selection.Type}' is neither agent nor agent_with_overrides.");
        }

        var agent = await agents.Find(selection.Id, selection.Version, cancellationToken)
            ?? throw ApiException.NotFound(
                selection.Version is { } version ? $"Version {version} of agent" : "Agent", selection.Id);
        if (agent.ArchivedAt is not null)
        {
            throw ApiException.Invalid("agent", $"agent '{agent.Id}' is archived.");
        }

        SessionRosterRules.Note(agent, limits);
        var chosen = SessionAgent.From(selection.Type == "agent" ? agent : Override(agent, selection));
        SessionSkillRules.CheckReadable(chosen.Skills, chosen.Tools);
        return chosen;
    }

    private static Agent Override(Agent agent, AgentSelectionBody selection)
    {
        if (selection.Model is { IsGiven: true, Value: null })
        {
            throw ApiException.Invalid("agent.model", "agent_model_required: a model cannot be cleared.");
        }

        // An effort in an override is not applied, and the agent's own was chosen for another model (api B.3).
        var model = selection.Model.IsGiven ? selection.Model.Value! with { Effort = null } : agent.Model;
        var overridden = agent with
        {
            Model = model,
            System = selection.System.Or(agent.System),
            Tools = selection.Tools.Or(agent.Tools) ?? [],
            McpServers = selection.McpServers.Or(agent.McpServers) ?? [],
            Skills = selection.Skills.Or(agent.Skills) ?? [],
        };
        if (overridden is { Tools.Count: 0, Skills.Count: > 0 })
        {
            throw ApiException.Invalid(
                "agent.tools", "skills need the read tool, so the tools cannot be cleared alone.");
        }

        return AgentRules.Check(overridden);
    }
}
