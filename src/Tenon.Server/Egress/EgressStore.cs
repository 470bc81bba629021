using Microsoft.EntityFrameworkCore;
using System.Text.Json;
using Tenon.Server.Storage;
using Tenon.Wire;
using Tenon.Wire.Environments;

namespace Tenon.Server.Egress;

/// <summary>What left the sandboxes, and what was refused: the newest <see cref="KeptMax"/> of each session.</summary>
public sealed class EgressStore(IDbContextFactory<TenonContext> contexts)
{
    /// <summary>Lines kept of one session: a long day of a busy agent. Older ones go.</summary>
    public const int KeptMax = 10_000;

    /// <summary>Writes the requests as they are now; one that is there is replaced.</summary>
    public async Task Save(IReadOnlyCollection<EgressRequest> requests, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var ids = requests.Select(request => request.Id).ToList();
        var known = await context.Egress.Where(row => ids.Contains(row.Id)).ToDictionaryAsync(
            row => row.Id, cancellationToken);
        foreach (var request in requests)
        {
            var body = JsonSerializer.Serialize(request, WireJson.Default.EgressRequest);
            if (known.TryGetValue(request.Id, out var row))
            {
                row.Body = body;
            }
            else
            {
                context.Egress.Add(new EgressRow { Id = request.Id, SessionId = request.SessionId, Body = body });
            }
        }

        await context.SaveChangesAsync(cancellationToken);
    }

    /// <summary>Deletes what is beyond <see cref="KeptMax"/>.</summary>
    public async Task Trim(string sessionId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = context.Egress.Where(row => row.SessionId == sessionId);
        var oldest = await rows.OrderByDescending(row => row.Id).Skip(KeptMax - 1).Select(row => row.Id)
            .FirstOrDefaultAsync(cancellationToken);
        if (oldest is not null)
        {
            await rows.Where(row => string.Compare(row.Id, oldest) < 0).ExecuteDeleteAsync(cancellationToken);
        }
    }

    /// <summary>Newest first; one more than asked for when there are more.</summary>
    public async Task<IReadOnlyList<EgressRequest>> List(
        string sessionId, string? before, int limit, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        var rows = await context.Egress.AsNoTracking().Where(row => row.SessionId == sessionId)
            .Where(row => before == null || string.Compare(row.Id, before) < 0)
            .OrderByDescending(row => row.Id).Take(limit + 1).ToListAsync(cancellationToken);
        return rows.ConvertAll(row => JsonSerializer.Deserialize(row.Body, WireJson.Default.EgressRequest)!);
    }

    public async Task DeleteSession(string sessionId, CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.Egress.Where(row => row.SessionId == sessionId).ExecuteDeleteAsync(cancellationToken);
    }

    /// <summary>For the start of a server: removes what belongs to sessions that are no more.</summary>
    public async Task Sweep(CancellationToken cancellationToken)
    {
        await using var context = await contexts.CreateDbContextAsync(cancellationToken);
        await context.Egress.Where(row => !context.Sessions.Any(session => session.Id == row.SessionId))
            .ExecuteDeleteAsync(cancellationToken);
    }
}
