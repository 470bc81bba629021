using Tenon.Server.Billing;
using Tenon.Server.Harness;
using Tenon.Server.Models;
using Tenon.Server.Sessions;
using Tenon.Server.Storage;
using Tenon.Wire.Agents;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;
using Xunit;

namespace Tenon.Server.Tests.Sessions;

/// <summary>What a session's record says of its cost between two appends (api H).</summary>
public sealed class SessionCostTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void The_cost_of_a_running_session_goes_on_since_the_last_append()
    {
        var record = Record(new SessionStatusRunning(), Answer);

        var session = record.ToWire(Start.AddHours(2));

        Assert.Equal((7_200m, Money.Usd("66")), (session.Usage.ActiveSeconds, session.Usage.ListCost));
    }

    [Fact]
    public void The_cost_of_an_idle_session_stands_still_and_its_threads_has_no_running_time()
    {
        var record = Record(new SessionStatusRunning(), Answer, new SessionStatusIdle
        {
            StopReason = StopReason.EndTurn,
        });

        Assert.Equal("58", record.ToWire(Start.AddHours(9)).Usage.ListCost.Amount);
        Assert.Equal("50", record.ToThread(Start.AddHours(9)).Usage!.ListCost.Amount);
    }

    private static ModelAnswer Answer => new()
    {
        Model = "m", Content = [], CallIds = [], Usage = new ModelUsage(), CostUsd = 0.5m,
    };

    /// <summary>A record of these entries, the first at the start and the others an hour later.</summary>
    private static SessionRecord Record(params object[] contents)
    {
        var session = new SessionHistory();
        var history = new History("t", session);
        foreach (var content in contents)
        {
            var at = history.Seq == 0 ? Start : Start.AddHours(1);
            var entry = new LogEntry(history.Seq + 1, "t", "i", "x", at.ToMicroseconds(), "", false);
            session.Apply(entry, content);
            history.Apply(entry, content);
        }

        return new SessionRecord
        {
            Id = "sesn_1",
            ThreadId = "sthr_1",
            CreatedAt = Start,
            EnvironmentId = "env_1",
            Status = SessionStatus.Idle,
            Definition = new SessionDefinition
            {
                Agent = new SessionAgent { Id = "a", Version = 1, Name = "n", Model = new ModelConfig { Id = "m" } },
            },
            State = new SessionState { SavedAt = Start, HasRun = true },
        }.After(session, Start.AddHours(1), Prices.Default);
    }
}
