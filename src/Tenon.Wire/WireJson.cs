using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Tenon.Wire.Agents;
using Tenon.Wire.Content;
using Tenon.Wire.Environments;
using Tenon.Wire.Events;
using Tenon.Wire.Files;
using Tenon.Wire.Http;
using Tenon.Wire.Memory;
using Tenon.Wire.Models;
using Tenon.Wire.Sessions;
using Tenon.Wire.Skills;
using Tenon.Wire.Vaults;

namespace Tenon.Wire;

/// <summary>
/// The one JSON contract of the wire: snake case, UTC timestamps, unknown fields kept, nulls written.
/// </summary>
public static class WireJson
{
    /// <summary>
    /// Letters stand as they are: the default encoder is made for text inside HTML, and would write every quote mark
    /// and every letter beyond ASCII as six bytes.
    /// </summary>
    public static WireContext Default { get; } = new(new JsonSerializerOptions(WireContext.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}

/// <summary>The generated contracts behind <see cref="WireJson"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    AllowOutOfOrderMetadataProperties = true,
    Converters = [typeof(TimestampConverter)])]
// Content
[JsonSerializable(typeof(ContentBlock))]
[JsonSerializable(typeof(TextBlock))]
[JsonSerializable(typeof(ImageBlock))]
[JsonSerializable(typeof(DocumentBlock))]
[JsonSerializable(typeof(SearchResultBlock))]
[JsonSerializable(typeof(RedactedBlock))]
[JsonSerializable(typeof(IReadOnlyList<ContentBlock>))]
// Agents
[JsonSerializable(typeof(Agent))]
[JsonSerializable(typeof(AgentCreate))]
[JsonSerializable(typeof(AgentUpdate))]
[JsonSerializable(typeof(AgentTool))]
[JsonSerializable(typeof(AgentToolset))]
[JsonSerializable(typeof(McpToolset))]
[JsonSerializable(typeof(CustomTool))]
[JsonSerializable(typeof(IReadOnlyList<AgentTool>))]
[JsonSerializable(typeof(IReadOnlyList<McpServer>))]
[JsonSerializable(typeof(IReadOnlyList<SkillReference>))]
[JsonSerializable(typeof(ModelConfig))]
[JsonSerializable(typeof(ModelConfigBody))]
[JsonSerializable(typeof(Effort))]
[JsonSerializable(typeof(TypeOnly))]
[JsonSerializable(typeof(Page<Agent>))]
// Environments
[JsonSerializable(typeof(EnvironmentRecord))]
[JsonSerializable(typeof(EgressRequest))]
[JsonSerializable(typeof(EnvironmentPackages))]
[JsonSerializable(typeof(Page<EgressRequest>))]
[JsonSerializable(typeof(EnvironmentCreate))]
[JsonSerializable(typeof(EnvironmentUpdate))]
[JsonSerializable(typeof(Page<EnvironmentRecord>))]
// Files
[JsonSerializable(typeof(FileRecord))]
[JsonSerializable(typeof(Page<FileRecord>))]
[JsonSerializable(typeof(IdPage<FileRecord>))]
// Skills
[JsonSerializable(typeof(Skill))]
[JsonSerializable(typeof(SkillVersion))]
[JsonSerializable(typeof(Page<Skill>))]
[JsonSerializable(typeof(Page<SkillVersion>))]
// Vaults
[JsonSerializable(typeof(Vault))]
[JsonSerializable(typeof(VaultCreate))]
[JsonSerializable(typeof(VaultUpdate))]
[JsonSerializable(typeof(Page<Vault>))]
[JsonSerializable(typeof(Credential))]
[JsonSerializable(typeof(CredentialCreate))]
[JsonSerializable(typeof(CredentialUpdate))]
[JsonSerializable(typeof(InjectionInput))]
[JsonSerializable(typeof(bool?))]
[JsonSerializable(typeof(Page<Credential>))]
[JsonSerializable(typeof(CredentialValidation))]
// Memory
[JsonSerializable(typeof(MemoryStoreRecord))]
[JsonSerializable(typeof(MemoryStoreCreate))]
[JsonSerializable(typeof(MemoryStoreUpdate))]
[JsonSerializable(typeof(Page<MemoryStoreRecord>))]
[JsonSerializable(typeof(MemoryItem))]
[JsonSerializable(typeof(MemoryCreate))]
[JsonSerializable(typeof(MemoryUpdate))]
[JsonSerializable(typeof(Page<MemoryItem>))]
[JsonSerializable(typeof(MemoryVersion))]
[JsonSerializable(typeof(Page<MemoryVersion>))]
[JsonSerializable(typeof(Page<MemoryMatch>))]
// Sessions
[JsonSerializable(typeof(Session))]
[JsonSerializable(typeof(SessionCreate))]
[JsonSerializable(typeof(SessionUpdate))]
[JsonSerializable(typeof(SessionFork))]
[JsonSerializable(typeof(AnnouncedSession))]
[JsonSerializable(typeof(AgentSelectionBody))]
[JsonSerializable(typeof(Budget))]
[JsonSerializable(typeof(ResourceCreate))]
[JsonSerializable(typeof(ResourceUpdate))]
[JsonSerializable(typeof(SessionResource))]
[JsonSerializable(typeof(Page<SessionResource>))]
[JsonSerializable(typeof(SessionThread))]
[JsonSerializable(typeof(ThreadAgent))]
[JsonSerializable(typeof(SavedAgent))]
[JsonSerializable(typeof(InlineAgent))]
[JsonSerializable(typeof(Advisor))]
[JsonSerializable(typeof(TwoWayPage<Session>))]
[JsonSerializable(typeof(Page<SessionThread>))]
// Events
[JsonSerializable(typeof(SessionEvent))]
[JsonSerializable(typeof(EventsSend))]
[JsonSerializable(typeof(EventStart))]
[JsonSerializable(typeof(EventDelta))]
[JsonSerializable(typeof(Page<JsonElement>))]
[JsonSerializable(typeof(UserMessage))]
[JsonSerializable(typeof(UserInterrupt))]
[JsonSerializable(typeof(UserToolConfirmation))]
[JsonSerializable(typeof(UserCustomToolResult))]
[JsonSerializable(typeof(UserToolResult))]
[JsonSerializable(typeof(UserDefineOutcome))]
[JsonSerializable(typeof(SystemMessage))]
[JsonSerializable(typeof(AgentMessage))]
[JsonSerializable(typeof(AgentThinking))]
[JsonSerializable(typeof(AgentToolUse))]
[JsonSerializable(typeof(AgentToolResult))]
[JsonSerializable(typeof(AgentMcpToolUse))]
[JsonSerializable(typeof(AgentMcpToolResult))]
[JsonSerializable(typeof(AgentCustomToolUse))]
[JsonSerializable(typeof(AgentThreadMessageSent))]
[JsonSerializable(typeof(AgentThreadMessageReceived))]
[JsonSerializable(typeof(AgentThreadContextCompacted))]
[JsonSerializable(typeof(SessionStatusRunning))]
[JsonSerializable(typeof(SessionStatusIdle))]
[JsonSerializable(typeof(SessionStatusRescheduled))]
[JsonSerializable(typeof(SessionStatusTerminated))]
[JsonSerializable(typeof(SessionError))]
[JsonSerializable(typeof(SessionUpdated))]
[JsonSerializable(typeof(SessionDeleted))]
[JsonSerializable(typeof(SessionUsageEvent))]
[JsonSerializable(typeof(SessionThreadCreated))]
[JsonSerializable(typeof(ThreadStatusRunning))]
[JsonSerializable(typeof(ThreadStatusIdle))]
[JsonSerializable(typeof(ThreadStatusRescheduled))]
[JsonSerializable(typeof(ThreadStatusTerminated))]
[JsonSerializable(typeof(ModelRequestStart))]
[JsonSerializable(typeof(ModelRequestEnd))]
[JsonSerializable(typeof(OutcomeEvaluationStart))]
[JsonSerializable(typeof(OutcomeEvaluationOngoing))]
[JsonSerializable(typeof(OutcomeEvaluationEnd))]
[JsonSerializable(typeof(WorkflowRunCreated))]
[JsonSerializable(typeof(WorkflowRunStatusRunning))]
[JsonSerializable(typeof(WorkflowRunStatusIdle))]
[JsonSerializable(typeof(WorkflowRunPhaseStarted))]
[JsonSerializable(typeof(WorkflowRunPhaseEnded))]
[JsonSerializable(typeof(WorkflowRunError))]
[JsonSerializable(typeof(WorkflowRunStatusEnded))]
// Models, errors, the rest
[JsonSerializable(typeof(IdPage<ModelInfo>))]
[JsonSerializable(typeof(ModelInfo))]
[JsonSerializable(typeof(ErrorEnvelope))]
[JsonSerializable(typeof(Deleted))]
[JsonSerializable(typeof(string))]
public sealed partial class WireContext : JsonSerializerContext;
