using Tenon.Server.Billing;
using Tenon.Server.Events;
using Tenon.Server.Harness;
using Tenon.Server.Mcp;
using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tools;
using Tenon.Server.Web;
using Tenon.Server.Workflows;
using Tenon.Wire;

namespace Tenon.Server.Sessions;

/// <summary>What every session's owner works with.</summary>
public sealed record SessionServices(
    EventLog Log, Feed Feed, IModel Model, ISandboxProvider Sandboxes, WebTools Web, IMcpServers Mcp,
    KeepMedia KeepMedia, SaveMemories SaveMemories, RunPlan RunPlan, UnreachableCredentials Unreachable, Limits Limits,
    Prices Prices,
    IdSource Ids, TimeProvider Clock);

/// <summary>Runs the program of a workflow run as far as its results take it.</summary>
public delegate Task<PlanRun> RunPlan(WorkflowRun run);

/// <summary>Where an owner lives, and what it asks of that place.</summary>
public interface ISessionHost
{
    /// <summary>A turn begins: keep the owner though no request comes.</summary>
    void Hold();

    /// <summary>The turn has ended: an owner without requests may be let go.</summary>
    void Release();

    /// <summary>The owner is of no use any more; the next request makes another from the log.</summary>
    void Drop();

    /// <summary>
    /// What the owner knows is ahead of the log: it is dropped, and another one goes on once the log takes entries.
    /// </summary>
    void Lose(Exception cause);
}
