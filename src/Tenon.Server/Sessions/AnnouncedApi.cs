using System.Text.Json;
using Tenon.Server.Environments;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Content;
using Tenon.Wire.Environments;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>
/// <c>POST /v1/managed-agents/sessions</c>, the short form that product announcements print: an agent's id and messages
/// make a session in a default environment and start it.
/// </summary>
public static class AnnouncedApi
{
    /// <summary>One environment for all of them, made when it is first needed.</summary>
    private const string DefaultEnvironmentId = "env_default";

    public static void MapAnnounced(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/managed-agents/sessions", Create);

    private static async Task<IResult> Create(
        HttpRequest request, SessionRules rules, SessionStarter starter, EnvironmentStore environments,
        TimeProvider clock, CancellationToken cancellationToken)
    {
        var body = await request.Read(WireJson.Default.AnnouncedSession);
        await EnsureEnvironment(environments, clock, cancellationToken);
        var events = body.Messages.Select((message, i) => ToEvent($"messages.{i}", message)).ToList();
        var definition = await rules.Check(new SessionCreate
        {
            Agent = new AgentSelection(new AgentSelectionBody { Type = "agent", Id = body.AgentId }),
            EnvironmentId = body.EnvironmentId ?? DefaultEnvironmentId,
            InitialEvents = events,
        }, cancellationToken);
        var record = await starter.Start(body.EnvironmentId ?? DefaultEnvironmentId, definition, events, []);
        return Body.Json(record.ToWire(clock.GetUtcNow()), WireJson.Default.Session);
    }

    private static UserMessage ToEvent(string path, AnnouncedMessage message)
    {
        if (message is not { Role: "user" })
        {
            throw ApiException.Invalid($"{path}.role", "only messages of the user can start a session.");
        }

        try
        {
            return new UserMessage
            {
                Content = message.Content.ValueKind == JsonValueKind.String
                    ? [ContentBlock.Of(message.Content.GetString()!)]
                    : message.Content.Deserialize(WireJson.Default.IReadOnlyListContentBlock) ?? [],
            };
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid($"{path}.content", WireError.Describe(exception).Message);
        }
    }

    private static async Task EnsureEnvironment(
        EnvironmentStore environments, TimeProvider clock, CancellationToken cancellationToken)
    {
        if (await environments.Find(DefaultEnvironmentId, cancellationToken) is not null)
        {
            return;
        }

        var now = clock.GetUtcNow();
        await environments.InsertIfMissing(EnvironmentRules.Check(new EnvironmentRecord
        {
            Id = DefaultEnvironmentId,
            Name = "default",
            Config = new EnvironmentConfig { Type = "cloud" },
            CreatedAt = now,
            UpdatedAt = now,
        }), cancellationToken);
    }
}
