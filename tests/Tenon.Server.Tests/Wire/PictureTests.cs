using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Xunit;

namespace Tenon.Server.Tests.Wire;

public sealed class PictureTests
{
    public static TheoryData<byte[], string, int, int> Samples { get; } = new()
    {
        { MediaSamples.Png, "image/png", 1, 1 },
        { MediaSamples.PngOf(300, 200), "image/png", 300, 200 },
        { MediaSamples.Gif, "image/gif", 1, 1 },
        { MediaSamples.Jpeg, "image/jpeg", 3, 2 },
        { MediaSamples.Webp, "image/webp", 1, 1 },
        { MediaSamples.WebpLossless, "image/webp", 1, 1 },
        { MediaSamples.WebpExtended, "image/webp", 300, 200 },
    };

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_picture_tells_its_kind_and_size_and_whether_it_is_whole(
        byte[] bytes, string type, int width, int height)
    {
        Assert.Equal(new Picture(type, width, height, true), Picture.Of(bytes));
        Assert.NotEqual(true, Picture.Of(bytes.AsSpan(..^2))?.IsWhole);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_picture_that_is_cut_anywhere_is_none_or_not_whole(
        byte[] bytes, string type, int width, int height)
    {
        for (var length = 0; length < bytes.Length - 12; length++)
        {
            Assert.NotEqual(true, Picture.Of(bytes.AsSpan(0, length))?.IsWhole);
        }

        Assert.Equal((type, width, height), (Picture.TypeOf(bytes), width, height));
    }

    [Theory]
    [InlineData("")]
    [InlineData("text")]
    [InlineData("GIF")]
    [InlineData("RIFF0000WAVEfmt ")]
    [InlineData("%PDF-1.7")]
    public void What_is_no_picture_is_none(string text) =>
        Assert.Null(Picture.Of(System.Text.Encoding.Latin1.GetBytes(text)));
}
