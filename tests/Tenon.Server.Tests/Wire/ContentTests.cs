using System.Text.Json;
using Tenon.Wire;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Wire;

public sealed class ContentTests
{
    [Fact]
    public void A_block_of_an_unknown_type_survives_as_it_came()
    {
        const string Json = """{"type":"hologram","depth":3}""";

        var block = JsonSerializer.Deserialize(Json, WireJson.Default.ContentBlock)!;

        Assert.Equal(Json, JsonSerializer.Serialize(block, WireJson.Default.ContentBlock));
    }

    [Fact]
    public void An_unknown_field_of_a_known_block_survives()
    {
        const string Json = """{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}""";

        var block = JsonSerializer.Deserialize(Json, WireJson.Default.ContentBlock)!;

        Assert.IsType<TextBlock>(block);
        Assert.Equal(Json, JsonSerializer.Serialize(block, WireJson.Default.ContentBlock));
    }

    [Fact]
    public void A_missing_field_is_named_by_its_path_in_wire_names()
    {
        var exception = Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(
            """[{"type":"text","text":"a"},{"type":"image","source":{"media_type":"image/png"}}]""",
            WireJson.Default.IReadOnlyListContentBlock));

        Assert.Equal(("1.source.type", "field required"), WireError.Describe(exception));
    }
}
