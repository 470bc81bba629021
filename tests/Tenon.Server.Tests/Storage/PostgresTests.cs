using Tenon.Server.Tests.Agents;
using Tenon.Server.Tests.Environments;
using Tenon.Server.Tests.Events;
using Tenon.Server.Tests.Harness;
using Tenon.Server.Tests.Http;
using Tenon.Server.Tests.Memory;
using Tenon.Server.Tests.Sessions;
using Tenon.Server.Tests.Skills;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;
using Xunit;

namespace Tenon.Server.Tests.Storage;

// Everything that touches storage, on PostgreSQL.

public sealed class PostgresAgentTests(PostgresServer postgres)
    : AgentTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresAgentSkillTests(PostgresServer postgres)
    : AgentSkillTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresBudgetApiTests(PostgresServer postgres)
    : BudgetApiTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresEnvironmentTests(PostgresServer postgres)
    : EnvironmentTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresEventsApiTests(PostgresServer postgres)
    : EventsApiTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresInterruptTests(PostgresServer postgres)
    : InterruptTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresKillTests(PostgresServer postgres)
    : KillTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresListTests(PostgresServer postgres)
    : ListTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresMemoryStoreTests(PostgresServer postgres)
    : MemoryStoreTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresMemoryTests(PostgresServer postgres)
    : MemoryTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresMemoryVersionTests(PostgresServer postgres)
    : MemoryVersionTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresSessionLifeTests(PostgresServer postgres)
    : SessionLifeTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresSessionListTests(PostgresServer postgres)
    : SessionListTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresSessionStreamTests(PostgresServer postgres)
    : SessionStreamTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresSessionTests(PostgresServer postgres)
    : SessionTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresSkillTests(PostgresServer postgres)
    : SkillTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresThreadsTests(PostgresServer postgres)
    : ThreadsTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresWorkflowTests(PostgresServer postgres)
    : WorkflowTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresAdvisorTests(PostgresServer postgres)
    : AdvisorTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresMultiagentTests(PostgresServer postgres)
    : MultiagentTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresToolCallTests(PostgresServer postgres)
    : ToolCallTests(postgres.Server), IClassFixture<PostgresServer>;

public sealed class PostgresEventLogTests()
    : EventLogTests(new LogLab(PostgresRun.NewDatabase().GetAwaiter().GetResult()));

public sealed class PostgresEventStreamTests()
    : EventStreamTests(new LogLab(PostgresRun.NewDatabase().GetAwaiter().GetResult()));

public sealed class PostgresRecoveryTests : RecoveryTests
{
    protected override TurnWorld NewWorld(params AgentTool[] tools) =>
        new(null, PostgresRun.NewDatabase().GetAwaiter().GetResult(), tools);
}
