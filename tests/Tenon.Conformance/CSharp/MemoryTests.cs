using Anthropic.Exceptions;
using Anthropic.Models.Beta.Agents;
using Anthropic.Models.Beta.MemoryStores;
using Anthropic.Models.Beta.MemoryStores.Memories;
using Anthropic.Models.Beta.MemoryStores.MemoryVersions;
using Anthropic.Models.Beta.Sessions;
using Anthropic.Services.Beta;
using Tenon.Conformance.Support;
using Tenon.Server.Tests.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Memory stores through the SDK.</summary>
public sealed class MemoryTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_SDK_reaches_every_operation_of_memory()
    {
        using var recorder = new RequestCounter();
        using var client = lab.Server.Client();
        var stores = client.WithOptions(options => options with { HttpClient = recorder.Http }).Beta.MemoryStores;

        var store = await stores.Create(new MemoryStoreCreateParams { Name = "C# store" }, Cancellation);
        await stores.Retrieve(store.ID, cancellationToken: Cancellation);
        var described = await stores.Update(
            store.ID, new MemoryStoreUpdateParams { Description = "described" }, Cancellation);
        Assert.Equal("described", described.Description);
        await stores.List(new MemoryStoreListParams { IncludeArchived = true }, Cancellation);
        await UseMemories(stores, store.ID);
        await stores.Archive(store.ID, cancellationToken: Cancellation);
        await stores.Delete(store.ID, cancellationToken: Cancellation);

        Assert.Equal(Operations.Of("memory_stores"), Operations.Used(recorder.Sent));

        // A refusal that repeating cannot change is not repeated.
        Assert.Equal(2, recorder.Sent.Count(request =>
            request.StartsWith("POST", StringComparison.Ordinal)
            && request.EndsWith("/memories", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task An_agent_finds_in_its_second_session_what_it_kept_in_the_first()
    {
        var store = await lab.Client.Beta.MemoryStores.Create(
            new MemoryStoreCreateParams { Name = "Preferences", Description = "What users like" }, Cancellation);
        var model = lab.Model(
            Reply.ToolUse("bash", new { command = "echo Vim > /mnt/memory/preferences/editor" }), Reply.Text("Kept."),
            Reply.ToolUse("read", new { file_path = "/mnt/memory/preferences/editor" }), Reply.Text("You use Vim."));
        var agent = await lab.Agent(model, new BetaManagedAgentsAgentToolset20260401Params());

        await (await Session(agent.ID, store.ID)).Turn(Events.Message("I use Vim."));
        var turn = await (await Session(agent.ID, store.ID)).Turn(Events.Message("Which editor do I use?"));

        Assert.StartsWith("Vim", turn.The("agent.tool_result").Text(), StringComparison.Ordinal);
        Assert.All(model.Requests, request => Assert.Contains(
            "Path: /mnt/memory/preferences", request.GetProperty("system").GetRawText(), StringComparison.Ordinal));
        var versions = await lab.Client.Beta.MemoryStores.MemoryVersions.List(
            store.ID, cancellationToken: Cancellation);
        Assert.True(Assert.Single(versions.Items).CreatedBy!.TryPickSession(out _));
    }

    private static async Task UseMemories(IMemoryStoreService stores, string store)
    {
        var memory = await stores.Memories.Create(
            store, new MemoryCreateParams { Path = "/notes/a.md", Content = "one" }, Cancellation);
        Assert.Null(memory.Content);
        var conflict = await Assert.ThrowsAnyAsync<AnthropicApiException>(() => stores.Memories.Create(
            store, new MemoryCreateParams { Path = "/notes", Content = "" }, Cancellation));
        Assert.Contains("memory_path_conflict_error", conflict.ResponseBody, StringComparison.Ordinal);
        await stores.Memories.Update(memory.ID, new MemoryUpdateParams
        {
            MemoryStoreID = store,
            Content = "two",
            Precondition = new BetaManagedAgentsPrecondition { ContentSha256 = memory.ContentSha256 },
        }, Cancellation);
        var read = await stores.Memories.Retrieve(
            memory.ID, new MemoryRetrieveParams { MemoryStoreID = store }, Cancellation);
        Assert.Equal("two", read.Content);
        var listed = await stores.Memories.List(store, new MemoryListParams { Depth = 1 }, Cancellation);
        Assert.True(Assert.Single(listed.Items).TryPickPrefix(out var prefix));
        Assert.Equal("/notes/", prefix.Path);
        var versions = await stores.MemoryVersions.List(
            store, new MemoryVersionListParams { MemoryID = memory.ID }, Cancellation);
        var first = versions.Items[^1];
        var content = await stores.MemoryVersions.Retrieve(
            first.ID, new MemoryVersionRetrieveParams { MemoryStoreID = store }, Cancellation);
        Assert.Equal("one", content.Content);
        var redacted = await stores.MemoryVersions.Redact(
            first.ID, new MemoryVersionRedactParams { MemoryStoreID = store }, Cancellation);
        Assert.NotNull(redacted.RedactedAt);
        await stores.Memories.Delete(memory.ID, new MemoryDeleteParams { MemoryStoreID = store }, Cancellation);
    }

    private async Task<LabSession> Session(string agentId, string storeId)
    {
        var session = await lab.Client.Beta.Sessions.Create(new SessionCreateParams
        {
            Agent = agentId,
            EnvironmentID = lab.EnvironmentId,
            Resources = [new BetaManagedAgentsMemoryStoreResourceParam(storeId)],
        }, Cancellation);
        return new LabSession(lab.Client, session.ID);
    }
}
