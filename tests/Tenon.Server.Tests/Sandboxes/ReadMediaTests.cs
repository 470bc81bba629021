using Tenon.Server.Sandboxes;
using Tenon.Server.Tests.Support;
using Tenon.Wire.Content;
using Tenon.Wire.Hand;
using Xunit;

namespace Tenon.Server.Tests.Sandboxes;

/// <summary>What <c>read</c> shows beside text: pictures, PDFs and notebooks.</summary>
public sealed class ReadMediaTests : IAsyncLifetime
{
    private readonly SandboxLab _lab = new();
    private ISandbox _sandbox = null!;

    public async ValueTask InitializeAsync() => _sandbox = await _lab.Open();

    public ValueTask DisposeAsync() => _lab.DisposeAsync();

    public static TheoryData<string, byte[], string> Pictures { get; } = new()
    {
        { "a.png", MediaSamples.Png, "a.png: image/png, 1 x 1 pixels" },
        { "photo", MediaSamples.Jpeg, "photo: image/jpeg, 3 x 2 pixels" },
        { "wrong.txt", MediaSamples.Gif, "wrong.txt: image/gif, 1 x 1 pixels" },
        { "a.webp", MediaSamples.Webp, "a.webp: image/webp, 1 x 1 pixels" },
    };

    [Theory]
    [MemberData(nameof(Pictures))]
    public async Task A_picture_is_known_by_its_bytes_and_shown_as_it_is(string name, byte[] bytes, string text)
    {
        await Write(name, bytes);

        var output = await Read(new { file_path = name });
        var ranged = await Read(new { file_path = name, view_range = new[] { 2, 3 } });

        Assert.Equal((false, text), (output.IsError, output.Text()));
        var media = Assert.Single(output.Media);
        Assert.Equal((1, name), (media.Before, media.Name));
        Assert.Equal(bytes, media.Bytes);
        Assert.Equal(bytes, Assert.Single(ranged.Media).Bytes);
    }

    [Fact]
    public async Task A_picture_as_large_as_a_model_is_shown_comes_whole_and_costs_the_hand_little()
    {
        var bytes = MediaSamples.PngWith(Picture.BytesMax);
        await Write("large.png", bytes);
        await Read(new { file_path = "large.png" }, "sevt_a");
        await _sandbox.Forget("sevt_a", SandboxLab.Cancelled);

        var output = await Read(new { file_path = "large.png" });

        Assert.Equal(bytes, Assert.Single(output.Media).Bytes);
        Assert.InRange(_lab.HandKilobytes(), 0, 100 * 1024);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(100)]
    public async Task A_pdf_is_shown_with_its_pages_counted_however_it_was_written(int pages)
    {
        foreach (var (name, bytes) in new[]
        {
            ("old.pdf", MediaSamples.Pdf(pages)), ("new.pdf", MediaSamples.PackedPdf(pages)),
        })
        {
            await Write(name, bytes);

            var output = await Read(new { file_path = name });

            Assert.Equal($"{name}: {HandMedia.Pdf}, {pages} pages", output.Text());
            Assert.Equal(bytes, Assert.Single(output.Media).Bytes);
        }
    }

    [Fact]
    public async Task What_is_too_much_or_damaged_is_refused_with_the_way_on()
    {
        await Write("big.png", MediaSamples.PngWith(Picture.BytesMax + 1));
        await Write("wide.png", MediaSamples.PngOf(8_001, 1));
        await Write("cut.png", MediaSamples.Png[..40]);
        await Write("big.pdf", [.. MediaSamples.Pdf(1), .. new byte[HandMedia.AnswerBytesMax]]);
        await Write("long.pdf", MediaSamples.PackedPdf(101));
        await Write("shut.pdf", [.. MediaSamples.Pdf(1), .. "trailer << /Encrypt 5 0 R >>"u8]);
        await Write("none.pdf", "%PDF-1.7 and so on"u8.ToArray());

        await Refuses("big.png", "big.png is a picture of 3932161 bytes, and a model is shown at most 3932160; make");
        await Refuses("wide.png", "wide.png is a picture of 8001 x 1 pixels, and a model is shown at most 8000 a");
        await Refuses("cut.png", "cut.png begins as a picture and is cut off or damaged");
        await Refuses("big.pdf", "and a model is shown at most 20971520; read its text with pdftotext, or take pages");
        await Refuses("long.pdf", "long.pdf is a PDF of 101 pages, and a model is shown at most 100; read its text");
        await Refuses("shut.pdf", "shut.pdf is a PDF that is encrypted or damaged; read its text with pdftotext");
        await Refuses("none.pdf", "none.pdf is a PDF that is encrypted or damaged");

        async Task Refuses(string name, string message)
        {
            var output = await Read(new { file_path = name });
            Assert.True(output.IsError);
            Assert.Empty(output.Media);
            Assert.Contains(message, output.Text(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_pdf_of_packed_zeroes_costs_the_hand_little()
    {
        using var packed = new MemoryStream();
        await using (var zip = new System.IO.Compression.ZLibStream(
            packed, System.IO.Compression.CompressionLevel.Optimal, leaveOpen: true))
        {
            await zip.WriteAsync(new byte[256 * 1024 * 1024], SandboxLab.Cancelled);
        }

        byte[] stream = [.. "%PDF-1.7 /ObjStm stream\n"u8, .. packed.ToArray(), .. " endstream"u8];
        await Write("bomb.pdf", [.. Enumerable.Repeat(stream, 4).SelectMany(bytes => bytes)]);

        var output = await Read(new { file_path = "bomb.pdf" });

        Assert.True(output.IsError);
        Assert.InRange(_lab.HandKilobytes(), 0, 100 * 1024);
    }

    [Fact]
    public async Task A_notebook_is_read_cell_by_cell_with_its_pictures_where_they_stand()
    {
        await Write("n.ipynb", System.Text.Encoding.UTF8.GetBytes(MediaSamples.Notebook()));

        var output = await Read(new { file_path = "n.ipynb" });
        var first = await Read(new { file_path = "n.ipynb", view_range = new[] { 1, 1 } });
        var beyond = await Read(new { file_path = "n.ipynb", view_range = new[] { 3, -1 } });

        Assert.Equal(
            ["""
            [cell 1: markdown]
            # Title
            words

            [cell 2: code, run as 3]
            print('hi')
            plot()
            [stdout]
            hi
            [output]
            [picture, 1 x 1 pixels]

            """, """
            [output]
            4
            [error]
            E: v


            """], output.Content.Cast<TextBlock>().Select(block => block.Text));
        Assert.Equal((1, "n.ipynb"), (Assert.Single(output.Media).Before, output.Media[0].Name));
        Assert.Equal(MediaSamples.Png, output.Media[0].Bytes);
        Assert.Equal("[cell 1: markdown]\n# Title\nwords\n\n", first.Text());
        Assert.Equal((true, "read: n.ipynb has 2 cells, and view_range counts cells in a notebook"),
            (beyond.IsError, beyond.Text()));
    }

    [Fact]
    public async Task A_notebook_that_is_too_long_is_read_in_parts_and_one_that_is_none_is_a_text()
    {
        var cells = Enumerable.Range(0, 40).Select(_ => new { cell_type = "code", source = new string('x', 10_000) });
        await Write("long.ipynb", System.Text.Encoding.UTF8.GetBytes(MediaSamples.Notebook([.. cells])));
        await Write("half.ipynb", "{\"cells\": [{"u8.ToArray());

        var all = await Read(new { file_path = "long.ipynb" });
        var some = await Read(new { file_path = "long.ipynb", view_range = new[] { 39, 40 } });
        var half = await Read(new { file_path = "half.ipynb" });

        Assert.True(all.IsError);
        Assert.Contains("it has 40 cells: read some with view_range", all.Text(), StringComparison.Ordinal);
        Assert.StartsWith("[cell 39: code]\nxxx", some.Text(), StringComparison.Ordinal);
        Assert.Equal("{\"cells\": [{", half.Text());
    }

    [Fact]
    public async Task Pictures_of_a_notebook_beyond_the_limit_are_left_out_and_said_to_be()
    {
        var cells = Enumerable.Range(0, 22).Select(_ => new
        {
            cell_type = "code", source = "", outputs = new[]
            {
                new
                {
                    output_type = "display_data",
                    data = new Dictionary<string, string> { ["image/png"] = Convert.ToBase64String(MediaSamples.Png) },
                },
            },
        });
        await Write("many.ipynb", System.Text.Encoding.UTF8.GetBytes(MediaSamples.Notebook([.. cells])));

        var output = await Read(new { file_path = "many.ipynb" });

        Assert.Equal(20, output.Media.Count);
        Assert.Contains("is left out: one answer has at most 20 pictures",
            ((TextBlock)output.Content[^1]).Text, StringComparison.Ordinal);
    }

    private Task Write(string name, byte[] bytes) => File.WriteAllBytesAsync(
        Path.Combine(_lab.Provider.FolderOf("sesn_1").Workspace, name), bytes, SandboxLab.Cancelled);

    private Task<ToolOutput> Read(object input, string? id = null) => _lab.Run(_sandbox, "read", input, id);
}
