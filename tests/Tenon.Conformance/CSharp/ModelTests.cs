using Anthropic.Exceptions;
using Anthropic.Models.Beta.Models;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

public sealed class ModelTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Models_are_listed_page_by_page_and_each_can_be_read()
    {
        var listed = new List<BetaModelInfo>();
        var page = await lab.Client.Beta.Models.List(new ModelListParams { Limit = 3 }, Cancellation);
        listed.AddRange(page.Items);
        while (page.HasNext())
        {
            page = await page.Next(Cancellation);
            listed.AddRange(page.Items);
        }

        Assert.Contains("claude-sonnet-5", listed.Select(model => model.ID));
        Assert.Equal(listed.Count, listed.DistinctBy(model => model.ID).Count());
        foreach (var model in listed)
        {
            var read = await lab.Client.Beta.Models.Retrieve(model.ID, cancellationToken: Cancellation);
            Assert.Equal(model.ToString(), read.ToString());
        }
    }

    [Fact]
    public async Task An_unknown_model_is_not_found()
    {
        await Assert.ThrowsAsync<AnthropicNotFoundException>(
            () => lab.Client.Beta.Models.Retrieve("claude-unheard-of", cancellationToken: Cancellation));
    }
}
