using Anthropic.Exceptions;
using Anthropic.Models.Beta.Environments;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

public sealed class EnvironmentTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_environment_needs_only_a_name()
    {
        var created = await Create("only a name");
        var read = await lab.Client.Beta.Environments.Retrieve(created.ID, cancellationToken: Cancellation);

        Assert.StartsWith("env_", created.ID, StringComparison.Ordinal);
        Assert.Equal("only a name", created.Name);
        Assert.Null(created.ArchivedAt);
        Assert.True(created.Config.TryPickBetaCloud(out var cloud));
        Assert.NotNull(cloud);
        Assert.Equal(created.ToString(), read.ToString());
    }

    [Fact]
    public async Task Two_environments_may_have_one_name()
    {
        var first = await Create("twice");
        var second = await Create("twice");

        Assert.NotEqual(first.ID, second.ID);
    }

    [Fact]
    public async Task An_update_changes_what_it_names_and_nothing_else()
    {
        var created = await Create("before");

        var updated = await lab.Client.Beta.Environments.Update(
            created.ID, new EnvironmentUpdateParams { Description = "described" }, Cancellation);

        Assert.Equal("before", updated.Name);
        Assert.Equal("described", updated.Description);
        Assert.Equal(created.Config.ToString(), updated.Config.ToString());
    }

    [Fact]
    public async Task An_archived_environment_takes_no_change_and_no_session()
    {
        var created = await Create("archived");

        var archived = await lab.Client.Beta.Environments.Archive(created.ID, cancellationToken: Cancellation);
        var again = await lab.Client.Beta.Environments.Archive(created.ID, cancellationToken: Cancellation);

        Assert.NotNull(archived.ArchivedAt);
        Assert.Equal(archived.ArchivedAt, again.ArchivedAt);
        var refused = await Assert.ThrowsAsync<AnthropicBetaEnvironmentArchivedException>(
            () => lab.Client.Beta.Environments.Update(
                created.ID, new EnvironmentUpdateParams { Name = "too late" }, Cancellation));
        Assert.Equal("environment_archived", refused.ErrorCode);
        var agent = await lab.Agent(lab.Model());
        await Assert.ThrowsAnyAsync<AnthropicBadRequestException>(() => lab.Client.Beta.Sessions.Create(
            new() { EnvironmentID = created.ID, Agent = agent.ID }, Cancellation));
    }

    [Fact]
    public async Task A_deleted_environment_is_gone()
    {
        var created = await Create("deleted");

        var deleted = await lab.Client.Beta.Environments.Delete(created.ID, cancellationToken: Cancellation);

        Assert.Equal(created.ID, deleted.ID);
        var gone = await Assert.ThrowsAnyAsync<AnthropicNotFoundException>(
            () => lab.Client.Beta.Environments.Retrieve(created.ID, cancellationToken: Cancellation));
        Assert.Equal("environment_not_found", gone.ErrorCode);
    }

    [Fact]
    public async Task Environments_are_listed_newest_first_page_by_page()
    {
        var made = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            made.Add((await Create($"listed {i}")).ID);
        }

        var listed = new List<string>();
        var page = await lab.Client.Beta.Environments.List(new EnvironmentListParams { Limit = 2 }, Cancellation);
        listed.AddRange(page.Items.Select(environment => environment.ID));
        while (page.HasNext())
        {
            page = await page.Next(Cancellation);
            listed.AddRange(page.Items.Select(environment => environment.ID));
        }

        Assert.Equal(made.AsEnumerable().Reverse(), listed.Where(made.Contains));
        Assert.Equal(listed.Count, listed.Distinct().Count());
    }

    private Task<BetaEnvironment> Create(string name) =>
        lab.Client.Beta.Environments.Create(new EnvironmentCreateParams { Name = name }, Cancellation);
}
