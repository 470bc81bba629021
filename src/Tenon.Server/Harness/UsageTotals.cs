using Tenon.Server.Billing;
using Tenon.Server.Models;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Harness;

/// <summary>What a session has used: tokens by cache class, exact cost, and time in <c>running</c>.</summary>
public sealed class UsageTotals
{
    private ModelUsage _tokens = new();
    private decimal _modelCostUsd;
    private long _activeMicroseconds;
    private long? _runningSince;

    public void Add(ModelUsage usage, decimal costUsd)
    {
        _modelCostUsd += costUsd;
        _tokens += usage;
    }

    /// <summary>The session runs from this Unix microsecond on.</summary>
    public void Start(long at) => _runningSince ??= at;

    public void Stop(long at)
    {
        _activeMicroseconds += at - (_runningSince ?? at);
        _runningSince = null;
    }

    /// <summary>The wire form at the Unix microsecond <paramref name="at"/>.</summary>
    public SessionUsage At(long at)
    {
        var activeMs = (_activeMicroseconds + (at - (_runningSince ?? at))) / 1_000;
        return new SessionUsage
        {
            InputTokens = _tokens.InputTokens,
            OutputTokens = _tokens.OutputTokens,
            CacheReadInputTokens = _tokens.CacheReadTokens,
            CacheCreation = new CacheCreation
            {
                Ephemeral5mInputTokens = _tokens.CacheWrite5mTokens,
                Ephemeral1hInputTokens = _tokens.CacheWrite1hTokens,
            },
            ActiveSeconds = activeMs / 1_000m,
            ListCost = Prices.ToMoney(_modelCostUsd + Prices.RunningUsd(activeMs)),
        };
    }

    /// <summary>Since when the session runs, in Unix microseconds; null when it does not.</summary>
    public long? RunningSince => _runningSince;
}
