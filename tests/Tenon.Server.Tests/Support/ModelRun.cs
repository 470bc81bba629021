using System.Text;
using System.Text.Json;
using Tenon.Server.Models;
using Xunit;

namespace Tenon.Server.Tests.Support;

/// <summary>One answer of a model, collected, with the promises of the seam checked on the way.</summary>
public sealed record ModelRun(List<ModelChunk> Chunks, ModelResponse Response)
{
    /// <summary>The final text, all text blocks in one.</summary>
    public string Text => string.Concat(Response.Content.OfType<ModelText>().Select(text => text.Text));

    public IReadOnlyList<ModelToolUse> Calls => [.. Response.Content.OfType<ModelToolUse>()];

    public static async Task<ModelRun> Of(IModel model, ModelRequest request)
    {
        var chunks = new List<ModelChunk>();
        await foreach (var chunk in model.Stream(request, TestContext.Current.CancellationToken))
        {
            chunks.Add(chunk);
        }

        var response = Assert.IsType<ModelChunk.Finished>(chunks[^1]).Response;
        Assert.Single(chunks.OfType<ModelChunk.Finished>());
        Assert.Equal(response.Stop == ModelStop.Fault, response.Fault is not null);
        if (response.Stop == ModelStop.Fault)
        {
            Assert.Empty(response.Content);
        }
        else
        {
            StreamedTextIsAPrefix(chunks, response);
        }

        return new ModelRun(chunks, response);
    }

    public static ModelRequest Ask(string text, params ModelTool[] tools) => new()
    {
        Model = "test-model",
        System = "You are a test.",
        Tools = tools,
        Messages = [User(text)],
    };

    public static ModelMessage User(string text) => new(ModelRole.User, [new ModelText(text)]);

    public static ModelTool Tool(string name) => new(name, $"The tool {name}.", JsonElement.Parse(
        """
        {
          "type": "object",
          "properties": { "zeta": { "type": "string" }, "alpha": { "$ref": "#/$defs/a" } },
          "$defs": { "a": { "type": "number" } }
        }
        """));

    private static void StreamedTextIsAPrefix(List<ModelChunk> chunks, ModelResponse response)
    {
        var streamed = new SortedDictionary<int, StringBuilder>();
        foreach (var chunk in chunks.OfType<ModelChunk.Text>())
        {
            var text = streamed.GetValueOrDefault(chunk.Index) ?? (streamed[chunk.Index] = new());
            text.Append(chunk.Fragment);
        }

        var final = response.Content.OfType<ModelText>().Select(text => text.Text).ToList();
        foreach (var (index, text) in streamed)
        {
            Assert.StartsWith(text.ToString(), final[index], StringComparison.Ordinal);
        }
    }
}
