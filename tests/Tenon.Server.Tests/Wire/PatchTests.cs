using System.Text.Json;
using Tenon.Wire;
using Tenon.Wire.Agents;
using Xunit;

namespace Tenon.Server.Tests.Wire;

public sealed class PatchTests
{
    [Fact]
    public void A_field_left_out_keeps_what_is_stored()
    {
        var update = Read("{}");

        Assert.False(update.System.IsGiven);
        Assert.Equal("stored", update.System.Or("stored"));
        Assert.False(update.Tools.IsGiven);
        Assert.Null(update.Metadata);
    }

    [Fact]
    public void Null_is_given_and_clears()
    {
        var update = Read("""{"system":null,"tools":null}""");

        Assert.True(update.System.IsGiven);
        Assert.Null(update.System.Or("stored"));
        Assert.True(update.Tools.IsGiven);
        Assert.Null(update.Tools.Or([]));
    }

    [Fact]
    public void A_value_replaces_what_is_stored()
    {
        var update = Read("""{"system":"new","model":"m","tools":[{"type":"agent_toolset_20260401"}]}""");

        Assert.Equal("new", update.System.Or("stored"));
        Assert.Equal("m", update.Model.Or(null)!.Id);
        Assert.IsType<AgentToolset>(Assert.Single(update.Tools.Or(null)!));
    }

    [Fact]
    public void A_bad_value_is_named_by_its_whole_path()
    {
        var exception = Assert.Throws<JsonException>(() => Read("""{"tools":[{"type":"custom","name":"n"}]}"""));

        Assert.Equal(("tools.0.description", "field required"), WireError.Describe(exception));
    }

    private static AgentUpdate Read(string json) => JsonSerializer.Deserialize(json, WireJson.Default.AgentUpdate)!;
}
