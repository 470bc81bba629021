using Tenon.Server.Billing;
using Tenon.Server.Models;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>What a session has used: tokens by cache class, exact cost, searches, and time in <c>running</c>.</summary>
public sealed class UsageTotals
{
    private ModelUsage _tokens = new();
    private decimal _modelCostUsd;
    private long _activeMicroseconds;
    private long? _runningSince;
    private long _searches;

    /// <summary>Whether a model without a price was used, so that no budget can measure the session.</summary>
    public bool HasUnpriced { get; private set; }

    /// <summary>A request has been made. <paramref name="costUsd"/> is null when its model has no price.</summary>
    public void Add(ModelUsage usage, decimal? costUsd)
    {
        _modelCostUsd += costUsd ?? 0;
        _tokens += usage;
        HasUnpriced |= costUsd is null;
    }

    /// <summary>From this Unix microsecond on it counts from nothing.</summary>
    public void Reset(long at)
    {
        (_tokens, _modelCostUsd, _activeMicroseconds, _searches) = (new ModelUsage(), 0, 0, 0);
        _runningSince = _runningSince is null ? null : at;
        HasUnpriced = false;
    }

    /// <summary>A web search has been made.</summary>
    public void AddSearch() => _searches++;

    /// <summary>The session runs from this Unix microsecond on.</summary>
    public void Start(long at) => _runningSince ??= at;

    public void Stop(long at)
    {
        _activeMicroseconds += at - (_runningSince ?? at);
        _runningSince = null;
    }

    /// <summary>The exact cost of tokens and searches, in US dollars: a thread's share, which has no time.</summary>
    public decimal RequestsUsd(Prices prices) => _modelCostUsd + prices.SearchesUsd(_searches);

    /// <summary>The exact cost at the Unix microsecond <paramref name="at"/>, in US dollars.</summary>
    public decimal CostUsd(long at, Prices prices) =>
        RequestsUsd(prices) + Prices.RunningUsd(ActiveMilliseconds(at), prices.SessionHour);

    /// <summary>The wire form at the Unix microsecond <paramref name="at"/>.</summary>
    public SessionUsage At(long at, Prices prices) => new()
    {
        InputTokens = _tokens.InputTokens,
        OutputTokens = _tokens.OutputTokens,
        CacheReadInputTokens = _tokens.CacheReadTokens,
        CacheCreation = new CacheCreation
        {
            Ephemeral5mInputTokens = _tokens.CacheWrite5mTokens,
            Ephemeral1hInputTokens = _tokens.CacheWrite1hTokens,
        },
        ActiveSeconds = ActiveMilliseconds(at) / 1_000m,
        ListCost = Prices.ToMoney(CostUsd(at, prices)),
        ServerToolUse = new ServerToolUse { WebSearchRequests = _searches },
    };

    /// <summary>Since when the session runs, in Unix microseconds; null when it does not.</summary>
    public long? RunningSince => _runningSince;

    private long ActiveMilliseconds(long at) => (_activeMicroseconds + (at - (_runningSince ?? at))) / 1_000;
}
