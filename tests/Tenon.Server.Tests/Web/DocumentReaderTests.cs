using System.Globalization;
using System.IO.Compression;
using System.Text;
using Microsoft.Extensions.Time.Testing;
using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Server.Web.Reading;
using UglyToad.PdfPig.Content;
using UglyToad.PdfPig.Core;
using UglyToad.PdfPig.Fonts.Standard14Fonts;
using UglyToad.PdfPig.Writer;
using Xunit;

namespace Tenon.Server.Tests.Web;

/// <summary>Documents that are read, and documents that are made so that reading them does harm.</summary>
public sealed class DocumentReaderTests : IDisposable
{
    private const long HeapBytes = 128 * 1024 * 1024;

    /// <summary>A page that draws nothing, in a gigabyte.</summary>
    private static readonly Lazy<byte[]> Bomb = new(() => PdfOf(Zipped(1L << 30)));

    private readonly DocumentReader _reader = new(new WebLimits(), TimeProvider.System);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _reader.Dispose();

    [Fact]
    public async Task A_pdf_gives_its_title_and_the_text_of_its_pages()
    {
        var document = await _reader.ReadPdf(Pdf("A paper", "The first page.", "The second page."), Token);

        Assert.Equal(("A paper", "[Page 1]\nThe first page.\n\n[Page 2]\nThe second page.", false),
            (document.Title, document.Text, document.IsCut));
    }

    [Fact]
    public async Task Of_a_pdf_with_too_many_pages_the_first_are_read()
    {
        using var reader = new DocumentReader(new WebLimits { PdfPagesMax = 2 }, TimeProvider.System);

        var document = await reader.ReadPdf(Pdf("t", "one", "two", "three"), Token);

        Assert.Equal(("[Page 1]\none\n\n[Page 2]\ntwo", true), (document.Text, document.IsCut));
    }

    [Theory]
    [InlineData("%PDF-1.7\n")]
    [InlineData("%PDF-1.7\ntrailer <</Root 1 0 R>>")]
    [InlineData("no pdf at all")]
    [InlineData("")]
    public async Task A_pdf_that_is_damaged_is_an_error(string bytes) =>
        await Unreadable(_reader, Encoding.ASCII.GetBytes(bytes), "it is damaged, or not what it says it is");

    [Fact]
    public async Task A_pdf_whose_page_unpacks_to_a_gigabyte_takes_no_more_memory_than_a_process_may_have()
    {
        Assert.True(Bomb.Value.Length < 10 * 1024 * 1024, $"{Bomb.Value.Length} bytes are no bomb.");
        using var process = ReaderProcess.Start(HeapBytes);
        var peak = 0L;
        try
        {
            var answer = await process.Ask(new ReadRequest("pdf", null, 10, 1_000, 60), Bomb.Value, Token);
            peak = PeakKilobytes(process.Id);

            // The parser goes on without what it could not unpack.
            Assert.True(answer.Fault is not null || answer.Document!.Text.Trim() == "[Page 1]");
        }
        catch (IOException)
        {
            // It died of it, which is as good.
        }

        Assert.True(peak < 3 * HeapBytes / 1024, $"{peak} KB were taken.");
    }

    [Fact]
    public async Task A_pdf_whose_pages_are_each_others_parents_ends()
    {
        var bytes = Encoding.ASCII.GetBytes(
            """
            %PDF-1.4
            1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
            2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
            3 0 obj <</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>> endobj
            trailer <</Root 1 0 R/Size 4>>
            """);

        // An empty text or an error, but an end, and no harm to the next.
        await Ends(() => _reader.ReadPdf(bytes, Token));
        Assert.Equal("[Page 1]\nfine", (await _reader.ReadPdf(Pdf("t", "fine"), Token)).Text);
    }

    [Fact]
    public async Task A_page_whose_tags_multiply_is_refused_and_the_next_is_read()
    {
        using var reader = new DocumentReader(
            new WebLimits { ReaderHeapBytesMax = HeapBytes / 2 }, TimeProvider.System);
        var html = new StringBuilder("<p>");
        for (var i = 0; i < 6_000; i++)
        {
            html.Append(CultureInfo.InvariantCulture, $"<b a{i}>");
        }

        // Each paragraph opens all of them again, as the standard wants it: thirty-six million elements.
        html.Insert(html.Length, "</p><p>x", 6_000);

        var refusal = await Assert.ThrowsAsync<WebToolException>(
            () => reader.ReadHtml("http://site.test/", html.ToString(), Token));

        Assert.Contains("it takes ", refusal.Message, StringComparison.Ordinal);
        Assert.Equal("fine", (await reader.ReadHtml("http://site.test/", "<p>fine</p>", Token)).Text);
    }

    [Fact]
    public async Task A_page_that_nests_without_end_harms_nobody()
    {
        using var hasty = new DocumentReader(
            new WebLimits { ReadTimeMax = TimeSpan.FromSeconds(3) }, TimeProvider.System);
        var html = new StringBuilder().Insert(0, "<div>", 200_000).Append("deep").ToString();

        await Ends(() => hasty.ReadHtml("http://site.test/", html, Token));
        Assert.Equal("fine", (await _reader.ReadHtml("http://site.test/", "<p>fine</p>", Token)).Text);
    }

    [Fact]
    public async Task A_document_that_takes_longer_than_it_may_is_given_up()
    {
        var clock = new FakeTimeProvider();
        using var reader = new DocumentReader(new WebLimits(), clock);
        var reading = reader.ReadPdf(Bomb.Value, Token);

        while (!reading.IsCompleted)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        var refusal = await Assert.ThrowsAsync<WebToolException>(() => reading);
        Assert.Equal(
            "url_not_accessible: the document cannot be read: it takes more than 20 s to be read.", refusal.Message);
    }

    [Fact]
    public async Task A_process_that_reads_knows_nothing_of_the_servers_variables_and_ends_with_its_reader()
    {
        var process = ReaderProcess.Start(128 * 1024 * 1024);
        try
        {
            await process.Ask(new ReadRequest("html", "http://site.test/", 0, 100, 60), "<p>x"u8.ToArray(), Token);

            var variables = (await File.ReadAllTextAsync($"/proc/{process.Id}/environ", Token)).Split('\0');
            Assert.All(variables.Where(variable => variable.Length > 0),
                variable => Assert.StartsWith("DOTNET_", variable, StringComparison.Ordinal));
        }
        finally
        {
            process.Dispose();
        }
    }

    [Fact]
    public async Task A_process_whose_server_is_gone_ends_by_itself()
    {
        using var process = ReaderProcess.Start(HeapBytes);

        var reading = process.Ask(new ReadRequest("pdf", null, 10, 1_000, 0), Bomb.Value, Token);

        await Assert.ThrowsAsync<IOException>(() => reading);
    }

    [Fact]
    public async Task An_idle_process_is_ended()
    {
        var clock = new FakeTimeProvider();
        using var reader = new DocumentReader(new WebLimits(), clock);
        await reader.ReadHtml("http://site.test/", "<p>x", Token);
        Assert.Equal(1, reader.IdleCount);

        clock.Advance(new WebLimits().ReaderIdleMax);

        Assert.Equal(0, reader.IdleCount);
    }

    private static long PeakKilobytes(int process) => long.Parse(
        File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);

    private static async Task Unreadable(DocumentReader reader, byte[] pdf, string reason)
    {
        var refusal = await Assert.ThrowsAsync<WebToolException>(() => reader.ReadPdf(pdf, Token));
        Assert.Equal($"url_not_accessible: the document cannot be read: {reason}.", refusal.Message);
    }

    private static async Task Ends(Func<Task<DocumentText>> read)
    {
        try
        {
            await read();
        }
        catch (WebToolException)
        {
            // That it cannot be read is an end too.
        }
    }

    private static byte[] Pdf(string title, params string[] pages)
    {
        using var builder = new PdfDocumentBuilder();
        builder.DocumentInformation.Title = title;
        var font = builder.AddStandard14Font(Standard14Font.Helvetica);
        foreach (var text in pages)
        {
            builder.AddPage(PageSize.A4).AddText(text, 12, new PdfPoint(50, 700), font);
        }

        return builder.Build();
    }

    /// <summary>A stream of so many bytes that draw nothing.</summary>
    private static byte[] Zipped(long length)
    {
        using var packed = new MemoryStream();
        using (var stream = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            var chunk = Encoding.ASCII.GetBytes(new string(' ', 1024 * 1024));
            for (var i = 0L; i < length; i += chunk.Length)
            {
                stream.Write(chunk);
            }
        }

        return packed.ToArray();
    }

    /// <summary>A PDF whose one page has this packed content.</summary>
    private static byte[] PdfOf(byte[] content)
    {
        using var pdf = new MemoryStream();
        Write("""
            %PDF-1.4
            1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
            2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
            3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>> endobj

            """);
        Write($"4 0 obj <</Length {content.Length}/Filter/FlateDecode>> stream\n");
        pdf.Write(content);
        Write("\nendstream endobj\ntrailer <</Root 1 0 R/Size 5>>\n%%EOF");
        return pdf.ToArray();

        void Write(string text) => pdf.Write(Encoding.ASCII.GetBytes(text));
    }
}
