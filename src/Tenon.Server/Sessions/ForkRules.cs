using Tenon.Server.Agents;
using Tenon.Server.Billing;
using Tenon.Server.Http;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>What a fork may change of the session that it comes from.</summary>
public static class ForkRules
{
    /// <summary>The fork's definition; its files are attached later.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static SessionDefinition Check(SessionDefinition source, SessionFork fork, Prices prices)
    {
        if (fork.Model is { IsGiven: true, Value: null })
        {
            throw ApiException.Invalid("model", "a model cannot be cleared.");
        }

        var agent = source.Agent with
        {
            Model = fork.Model.Or(source.Agent.Model)!,
            System = AgentRules.CheckSystem(fork.System.Or(source.Agent.System)),
        };
        AgentRules.CheckModel("model", agent.Model);
        return source with
        {
            Agent = agent,
            Title = fork.Title.Or(source.Title),
            Budget = BudgetRules.Check(source.Budget, agent, prices),
            Metadata = fork.Metadata is null ? source.Metadata : Metadata.Check(fork.Metadata),
            Resources = [],
            Repositories = [],
        };
    }

    /// <summary>400: the session has no event of that id.</summary>
    public static ApiException NoEvent(string sessionId, string? eventId) =>
        ApiException.Invalid("event_id", $"session '{sessionId}' has no event '{eventId}'.");

    /// <summary>529: the fork's files could not be made.</summary>
    public static ApiException NoFiles(string reason) => new(new Refusal(
        529, Tenon.Wire.Http.ErrorTypes.Overloaded,
        $"The fork's files could not be made, and nothing was: {reason}", null));

    /// <summary>400: the history is longer than a fork copies.</summary>
    public static ApiException TooLong() => ApiException.Invalid("event_id",
        $"the history up to there has more than {SessionForks.EntriesMax} entries; fork from an earlier event.");
}
