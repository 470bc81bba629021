using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Npgsql;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Storage;

/// <summary>Several servers on one PostgreSQL: one owns the sessions, the others read them and stand by.</summary>
public sealed class ProcessesTests : IAsyncLifetime
{
    private string _postgres = null!;
    private TestServer _owner = null!;
    private TestServer _other = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _postgres = await PostgresRun.NewDatabase();
        _owner = await TestServer.Start(postgres: _postgres);
        _other = await TestServer.Start(postgres: _postgres);
    }

    public async ValueTask DisposeAsync()
    {
        await _other.DisposeAsync();
        await _owner.DisposeAsync();
    }

    [Fact]
    public async Task What_one_process_appends_is_streamed_by_another()
    {
        var session = await _owner.NewSession();
        session.Model.Says("one").Says("two");
        await using var stream = await OnOther(session).Stream();

        await session.Send(TestSession.Says("first"));
        var seen = (await stream.Until("session.status_idle")).ToList();
        await session.Send(TestSession.Says("second"));
        seen.AddRange(await stream.Until("session.status_idle"));

        var listed = (await session.List()).EnumerateArray().Select(json => json.GetRawText()).ToList();
        Assert.Equal(listed, seen.Select(frame => frame.Json.GetRawText()));
    }

    [Fact]
    public async Task A_process_that_does_not_own_the_sessions_reads_them_and_says_who_changes_them()
    {
        var session = await _owner.NewSession();
        session.Model.Says("one");
        await session.Run(TestSession.Says("hi"));
        const string Elsewhere = "Another process on this database runs the sessions;";

        (await OnOther(session).Post(TestSession.Says("more"))).Refused(503, Elsewhere);
        (await _other.Post($"{session.Path}/archive")).Refused(503, Elsewhere);
        (await _other.Post("/v1/sessions", new { agent = session.AgentId, environment_id = await _other
            .NewEnvironment() })).Refused(503, Elsewhere);

        Assert.Equal((await session.List()).GetRawText(), (await OnOther(session).List()).GetRawText());
        (await _owner.Get($"/v1/agents/{await _other.NewAgent()}")).Ok();
        Assert.Equal("""{"status":"ok","role":"standby"}""", (await _other.Get("/health")).Ok().GetRawText());
        Assert.Equal("""{"status":"ok"}""", (await _owner.Get("/health")).Ok().GetRawText());
    }

    [Fact]
    public async Task When_the_owner_ends_another_goes_on_with_what_it_left()
    {
        var session = await _owner.NewSession();
        session.Model.SaysAndHangs("half");
        var moved = OnOther(session);
        moved.Model.Says("whole");
        await using var stream = await moved.Stream();
        await session.Send(TestSession.Says("hi"));
        await stream.Until("span.model_request_start");

        await _owner.Stop();
        var rest = await stream.Until("session.status_idle");

        Assert.Equal("whole", rest.Single(frame => frame.Name == "agent.message").Json.Text("content.0.text"));
        Assert.Single(moved.Model.Requests);
        moved.Model.Says("again");
        Assert.Equal("session.status_idle", (await moved.Run(TestSession.Says("more")))[^1].Name);
    }

    [Fact]
    public async Task An_owner_that_was_taken_over_writes_nothing_more_and_stops()
    {
        var session = await _owner.NewSession();
        session.Model.Says("one");
        await session.Run(TestSession.Says("hi"));
        var before = await session.List();
        var stopping = new TaskCompletionSource();
        var life = _owner.Services.GetRequiredService<IHostApplicationLifetime>();
        await using var registration = life.ApplicationStopping.Register(stopping.SetResult);

        // What another process does when it finds the lock free.
        await using var connection = new NpgsqlConnection(_postgres);
        await connection.OpenAsync(Cancelled);
        await using var take = new NpgsqlCommand("UPDATE owner SET epoch = epoch + 1", connection);
        await take.ExecuteNonQueryAsync(Cancelled);
        (await session.Post(TestSession.Says("more"))).Refused(529, "The event log did not");
        await stopping.Task.WaitAsync(Cancelled);

        Assert.Equal(before.GetRawText(), (await OnOther(session).List()).GetRawText());

        // The model may be asked while the message is on its way to the log, and then never again.
        Assert.InRange(session.Model.Requests.Count, 1, 2);
    }

    private TestSession OnOther(TestSession session) =>
        session with { Server = _other, Model = _other.Models.Of(session.Created.Text("agent.model.id")) };
}
