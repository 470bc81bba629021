using Tenon.Server.Tests.Agents;
using Tenon.Server.Tests.Environments;
using Tenon.Server.Tests.Events;
using Tenon.Server.Tests.Harness;
using Tenon.Server.Tests.Http;
using Tenon.Server.Tests.Sessions;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Agents;

namespace Tenon.Server.Tests.Storage;

// Everything that touches storage, on SQLite.

public sealed class SqliteAgentTests(TestServer server) : AgentTests(server);

public sealed class SqliteBudgetApiTests(TestServer server) : BudgetApiTests(server);

public sealed class SqliteEnvironmentTests(TestServer server) : EnvironmentTests(server);

public sealed class SqliteEventsApiTests(TestServer server) : EventsApiTests(server);

public sealed class SqliteInterruptTests(TestServer server) : InterruptTests(server);

public sealed class SqliteKillTests(TestServer server) : KillTests(server);

public sealed class SqliteListTests(TestServer server) : ListTests(server);

public sealed class SqliteSessionLifeTests(TestServer server) : SessionLifeTests(server);

public sealed class SqliteSessionListTests(TestServer server) : SessionListTests(server);

public sealed class SqliteSessionStreamTests(TestServer server) : SessionStreamTests(server);

public sealed class SqliteSessionTests(TestServer server) : SessionTests(server);

public sealed class SqliteThreadsTests(TestServer server) : ThreadsTests(server);

public sealed class SqliteWorkflowTests(TestServer server) : WorkflowTests(server);

public sealed class SqliteAdvisorTests(TestServer server) : AdvisorTests(server);

public sealed class SqliteMultiagentTests(TestServer server) : MultiagentTests(server);

public sealed class SqliteToolCallTests(TestServer server) : ToolCallTests(server);

public sealed class SqliteEventLogTests() : EventLogTests(new LogLab());

public sealed class SqliteEventStreamTests() : EventStreamTests(new LogLab());

public sealed class SqliteRecoveryTests : RecoveryTests
{
    protected override TurnWorld NewWorld(params AgentTool[] tools) => new(tools);
}
