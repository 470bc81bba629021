using DocumentFormat.OpenXml;
using DocumentFormat.OpenXml.Packaging;
using DocumentFormat.OpenXml.Validation;
using Microsoft.Extensions.DependencyInjection;
using System.Text.Json;
using Tenon.Server.Sandboxes;
using Tenon.Server.Skills;
using Tenon.Server.Tests.Files;
using Tenon.Server.Tests.Support;
using UglyToad.PdfPig;
using UglyToad.PdfPig.AcroForms.Fields;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>
/// The skills that ship with the server, used in real sandboxes as their SKILL.md says. What they make is opened again
/// by their own scripts, and here by readers that have nothing to do with them.
/// </summary>
public sealed class DocumentSkillTests(TestServer server)
{
    private const string Report = """
        # Quarterly report

        An *introduction* with **bold** text, `code`, and a [link](https://example.com/?a=1&b=2).

        - one
          - deeper
        - two

        1. first
        2. second

        | Month | Revenue |
        |---|---:|
        | January | 1,200 |
        | February | **1,500** |

        > A quote.

        ![A red dot](dot.png)

        \pagebreak

        ## Second page

        The end.
        """;

    private const string Dot =
        "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52FTMSDAAAAAElFTkSuQmCC";

    private const string MakePicture = "base64 -d > dot.png <<< " + Dot;

    [Fact]
    public async Task They_are_listed_with_a_version_and_downloaded_as_any_other()
    {
        var listed = (await server.Get("/v1/skills?source=anthropic")).Ok();
        Assert.Equal(["docx", "pdf", "pptx", "xlsx"], listed.At("data").Texts("id"));
        Assert.Equal(JsonValueKind.Null, listed.At("next_page").ValueKind);
        foreach (var skill in listed.At("data").EnumerateArray())
        {
            var (id, version) = (skill.Text("id"), skill.Text("latest_version_id"));
            Assert.Matches("^20[0-9]{6}$", version);
            Assert.Equal("anthropic", skill.Text("source.type"));
            var latest = (await server.Get($"/v1/skills/{id}/versions/latest")).Ok();
            Assert.Equal((version, id), (latest.Text("id"), latest.Text("name")));
            Assert.Equal([version], (await server.Get($"/v1/skills/{id}/versions")).Ok().At("data").Texts("id"));
            var entries = SkillUploads.Entries((await server.DownloadSkill(id, version)).Bytes);
            Assert.Contains(entries, entry => entry.Path == $"{id}/SKILL.md" && !entry.IsProgram);
            Assert.Contains(entries, entry => entry.Path == $"{id}/scripts/create.py" && entry.IsProgram);
            (await server.Delete($"/v1/skills/{id}")).Refused(400, $"Skill '{id}' ships with the server");
            (await server.Delete($"/v1/skills/{id}/versions/{version}")).Refused(400, $"Skill '{id}' ships with");
            (await server.Upload($"/v1/skills/{id}/versions", SkillUploads.Files(id))).Refused(
                400, $"Skill '{id}' ships with the server and takes no versions.");
        }
    }

    [Theory]
    [InlineData("docx")]
    [InlineData("pdf")]
    [InlineData("pptx")]
    [InlineData("xlsx")]
    public async Task What_its_instructions_name_is_there_and_says_how_it_is_used(string name)
    {
        var session = await Session(name);
        var manifest = await session.Reads($"/mnt/skills/{name}/SKILL.md");
        Assert.InRange(manifest.Split('\n').Length, 20, 200);
        Assert.Contains("## When a tool is missing", manifest, StringComparison.Ordinal);

        var named = System.Text.RegularExpressions.Regex.Matches(manifest, @"scripts/(\w+\.py)")
            .Select(match => match.Groups[1].Value).ToHashSet();
        var there = (await session.Shell($"ls /mnt/skills/{name}/scripts")).Split('\n').ToHashSet();
        Assert.Subset(there, named);
        foreach (var script in named)
        {
            var help = await session.Shell($"python3 /mnt/skills/{name}/scripts/{script} --help 2>&1 || true");
            Assert.Contains($"python3 {script}", help, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_Word_document_is_made_checked_read_and_filled_in()
    {
        var session = await Session("docx");
        await Put(session, "report.md", Report + "\nDear {{NAME}}, **see {{NA**ME}}.\n");

        Assert.Contains("wrote report.docx", await session.Shell($"""
            {MakePicture}
            python3 /mnt/skills/docx/scripts/create.py report.md report.docx --toc --page-numbers --author Ada --title T
            """), StringComparison.Ordinal);
        Assert.Equal("{{NAME}} is not filled in", await session.Shell(
            "python3 /mnt/skills/docx/scripts/check_package.py report.docx --placeholders"));
        Assert.Contains("2 replacement(s)", await session.Shell(
            "python3 /mnt/skills/docx/scripts/replace.py report.docx /outputs/out.docx --set NAME=Grace"),
            StringComparison.Ordinal);
        Assert.Equal("no problems found", await session.Shell(
            "python3 /mnt/skills/docx/scripts/check_package.py /outputs/out.docx --placeholders"));
        var read = await session.Shell("python3 /mnt/skills/docx/scripts/read.py /outputs/out.docx");
        Assert.Contains(
            "# Quarterly report\n\nAn introduction with bold text, code, and a link.\n\n- one\n\n  - deeper", read,
            StringComparison.Ordinal);
        Assert.Contains("| January | 1,200 |", read, StringComparison.Ordinal);
        Assert.EndsWith("Dear Grace, see Grace.", read, StringComparison.Ordinal);

        using var document = WordprocessingDocument.Open(Output(session, "out.docx"), isEditable: false);
        AssertSound(document);
        Assert.Contains("Dear Grace, see Grace.", document.MainDocumentPart!.Document.Body!.InnerText);
        Assert.Single(document.MainDocumentPart.ImageParts);
        Assert.Equal("Ada", document.PackageProperties.Creator);
    }

    [Fact]
    public async Task An_Excel_workbook_is_made_checked_and_read()
    {
        var session = await Session("xlsx");
        await Put(session, "spec.json", """
            {"sheets":[{"name":"Sales","columns":[{"title":"Month","type":"date"},
              {"title":"Revenue","type":"number","format":"#,##0.00"},{"title":"Code","type":"text"}],
              "rows":[["2026-01-31","1200.5","=7"],["2026-02-28","=B2*2","007"]],"totals":{"Revenue":"sum"},
              "chart":{"type":"bar","title":"Revenue","categories":"Month","values":["Revenue"]}},
             {"name":"Notes","rows":[["from",  "=Sales!B4"]]}]}
            """);
        await Put(session, "broken.json", """{"sheets":[{"name":"A","rows":[["=Nope!B1"],["=SUM((A1)"]]}]}""");
        await Put(session, "data.csv", "code;amount\n007;1.5\n008;2\n");

        Assert.Equal("wrote /outputs/out.xlsx: 2 sheet(s)", await session.Shell(
            "python3 /mnt/skills/xlsx/scripts/create.py spec.json /outputs/out.xlsx"));
        Assert.EndsWith("3 formula(s)\nno problems found", await session.Shell(
            "python3 /mnt/skills/xlsx/scripts/check_formulas.py /outputs/out.xlsx"), StringComparison.Ordinal);
        Assert.Equal("no problems found", await session.Shell(
            "python3 /mnt/skills/xlsx/scripts/check_package.py /outputs/out.xlsx"));
        Assert.Equal(
            "Month,Revenue,Code\n2026-01-31,1200.5,=7\n2026-02-28,=B2*2,007\nTotal,=SUM(B2:B3),", await session.Shell(
                "python3 /mnt/skills/xlsx/scripts/read.py /outputs/out.xlsx --sheet Sales --csv --formulas"));
        Assert.Equal("## data: 3 rows, 2 columns\ncode,amount\n007,1.5\n008,2", await session.Shell("""
            python3 /mnt/skills/xlsx/scripts/create.py data.csv data.xlsx > /dev/null
            python3 /mnt/skills/xlsx/scripts/read.py data.xlsx
            """));
        var broken = await session.Shell("""
            python3 /mnt/skills/xlsx/scripts/create.py broken.json broken.xlsx
            python3 /mnt/skills/xlsx/scripts/check_formulas.py broken.xlsx
            """);
        Assert.Contains("A!A1: there is no sheet 'Nope': =Nope!B1", broken, StringComparison.Ordinal);
        Assert.Contains("A!A2: the brackets do not match: =SUM((A1)", broken, StringComparison.Ordinal);

        using var document = SpreadsheetDocument.Open(Output(session, "out.xlsx"), isEditable: false);
        AssertSound(document);
        var sheets = document.WorkbookPart!.WorksheetParts.ToList();
        Assert.Contains(sheets, sheet => sheet.Worksheet.InnerXml.Contains("SUM(B2:B3)", StringComparison.Ordinal));
        Assert.Single(sheets.Select(sheet => sheet.DrawingsPart).OfType<DrawingsPart>().SelectMany(
            drawing => drawing.ChartParts));
    }

    [Fact]
    public async Task A_PowerPoint_presentation_is_made_checked_read_and_filled_in()
    {
        var session = await Session("pptx");
        await Put(session, "outline.md", """
            # The year for {{NAME}}

            Ada & Grace

            ## Costs fell by a third

            - one **bold** point and a [link](https://example.com/?a=1&b=2)
              - deeper
            1. numbered

            > Say hello.

            ## Numbers <beside> text

            - Revenue doubled

            | Year | Revenue |
            |---|---:|
            | 2025 | 10 |

            ## Picture

            ![A "red" dot](dot.png)
            """);

        Assert.Equal("wrote deck.pptx: 4 slide(s)", await session.Shell($"""
            {MakePicture}
            python3 /mnt/skills/pptx/scripts/create.py outline.md deck.pptx --accent 0B6E4F --author Ada
            """));
        Assert.Contains("1 replacement(s)", await session.Shell(
            "python3 /mnt/skills/pptx/scripts/replace.py deck.pptx /outputs/out.pptx --set 'NAME=A <b> & C'"),
            StringComparison.Ordinal);
        Assert.Equal("no problems found", await session.Shell(
            "python3 /mnt/skills/pptx/scripts/check_package.py /outputs/out.pptx --placeholders"));
        Assert.Equal("""
            ## 1. The year for A <b> & C
            - Ada & Grace

            ## 2. Costs fell by a third
            - one bold point and a link
              - deeper
            - numbered
            > Say hello.

            ## 3. Numbers <beside> text
            - Revenue doubled
            | Year | Revenue |
            | --- | --- |
            | 2025 | 10 |

            ## 4. Picture
            [picture: A "red" dot]
            """.ReplaceLineEndings("\n"),
            (await session.Shell("python3 /mnt/skills/pptx/scripts/read.py /outputs/out.pptx")).Trim());

        using var document = PresentationDocument.Open(Output(session, "out.pptx"), isEditable: false);
        AssertSound(document);
        Assert.Equal(4, document.PresentationPart!.SlideParts.Count());
        Assert.Contains("0B6E4F", document.PresentationPart.ThemePart!.Theme.OuterXml);
        Assert.Equal("Ada", document.PackageProperties.Creator);
        foreach (var dark in (string[])["--dark --ratio 4:3", "--font Georgia"])
        {
            await session.Shell($"python3 /mnt/skills/pptx/scripts/create.py outline.md /outputs/other.pptx {dark}");
            using var other = PresentationDocument.Open(Output(session, "other.pptx"), isEditable: false);
            AssertSound(other);
        }
    }

    [Fact]
    public async Task A_PDF_is_made_read_taken_apart_and_put_together()
    {
        var session = await Session("pdf");
        await Put(session, "report.md", Report);
        await Put(session, "strange.md", "# Привет\n\nжизнь");
        const string Scripts = "/mnt/skills/pdf/scripts";

        Assert.Equal("wrote /outputs/out.pdf: 2 page(s)", await session.Shell($"""
            {MakePicture}
            python3 {Scripts}/create.py report.md /outputs/out.pdf --title Title --author Ada
            """));
        var read = await session.Shell($"python3 {Scripts}/read.py /outputs/out.pdf");
        Assert.StartsWith("--- page 1\nTitle\nQuarterly report\n", read, StringComparison.Ordinal);
        Assert.Contains("1. first\n2. second\n", read, StringComparison.Ordinal);
        Assert.Contains("--- page 2\nSecond page\nThe end.\n", read, StringComparison.Ordinal);
        Assert.Contains("Author: Ada\n", await session.Shell($"python3 {Scripts}/read.py /outputs/out.pdf --info"));
        Assert.Equal("wrote m.pdf: 3 page(s)\nwrote r.pdf: 3 page(s)\nwrote parts/page-001.pdf: 1 page(s)\n"
            + "wrote parts/page-002.pdf: 1 page(s)\nwrote parts/page-003.pdf: 1 page(s)", await session.Shell($"""
            python3 {Scripts}/pages.py merge m.pdf /outputs/out.pdf /outputs/out.pdf:2
            python3 {Scripts}/pages.py rotate r.pdf m.pdf 90 2-
            python3 {Scripts}/pages.py split m.pdf parts
            cp r.pdf /outputs
            """));
        Assert.Contains("is not within the 2 pages", await session.Shell(
            $"python3 {Scripts}/read.py /outputs/out.pdf --pages 3"), StringComparison.Ordinal);
        Assert.Contains("Привет", await session.Shell($"""
            python3 {Scripts}/create.py strange.md strange.pdf > /dev/null && python3 {Scripts}/read.py strange.pdf
            """), StringComparison.Ordinal);

        using var document = PdfDocument.Open(Output(session, "out.pdf"));
        Assert.Equal((2, "Title", "Ada"), (
            document.NumberOfPages, document.Information.Title, document.Information.Author));
        Assert.Contains("1,500", document.GetPage(1).Text);
        Assert.Single(document.GetPage(1).GetImages());
        Assert.True(document.TryGetBookmarks(out var bookmarks));
        Assert.Equal(
            ["Title", "Quarterly report", "Second page"], bookmarks.GetNodes().Select(node => node.Title));
        using var rotated = PdfDocument.Open(Output(session, "r.pdf"));
        Assert.Equal([0, 90, 90], rotated.GetPages().Select(page => page.Rotation.Value));
    }

    [Fact]
    public async Task A_form_of_a_PDF_is_listed_and_filled_in()
    {
        var session = await Session("pdf");
        await Put(session, "form.py", """
            from reportlab.pdfgen import canvas
            page = canvas.Canvas("form.pdf")
            page.acroForm.textfield(name="name", x=50, y=700)
            page.acroForm.checkbox(name="agrees", x=50, y=600)
            page.showPage()
            page.save()
            """);
        await Put(session, "values.json", """{"name":"Ada","agrees":true}""");

        Assert.Equal("""
            {"name": "name", "kind": "text", "value": "", "choices": []}
            {"name": "agrees", "kind": "button", "value": "/Off", "choices": []}
            wrote /outputs/out.pdf: 2 field(s) filled
            {"name": "name", "kind": "text", "value": "Ada", "choices": []}
            {"name": "agrees", "kind": "button", "value": "/Yes", "choices": []}
            """.ReplaceLineEndings("\n"), await session.Shell("""
            python3 form.py
            python3 /mnt/skills/pdf/scripts/form.py list form.pdf
            python3 /mnt/skills/pdf/scripts/form.py fill form.pdf /outputs/out.pdf values.json
            python3 /mnt/skills/pdf/scripts/form.py list /outputs/out.pdf
            """));

        using var document = PdfDocument.Open(Output(session, "out.pdf"));
        Assert.True(document.TryGetForm(out var form));
        Assert.Equal("Ada", form.Fields.OfType<AcroTextField>().Single().Value);
    }

    [Fact]
    public async Task Where_a_library_is_missing_the_script_says_which_and_what_to_do()
    {
        var session = await Session("docx");
        await Put(session, "a.md", "# A");

        // Python without any package but its own.
        Assert.Contains("python-docx is missing. Install it (apt: python3-docx, pip: python-docx), or tell the user",
            await session.Shell("python3 -S /mnt/skills/docx/scripts/create.py a.md a.docx"), StringComparison.Ordinal);
    }

    [Fact]
    public void An_earlier_servers_version_is_known_and_a_later_one_is_not()
    {
        Assert.True(BuiltinSkills.Has("latest") && BuiltinSkills.Has("20250102"));
        Assert.False(BuiltinSkills.Has("29991231") || BuiltinSkills.Has("2025010") || BuiltinSkills.Has("skver_1"));
    }

    private async Task<TestSession> Session(string name)
    {
        var plain = await server.NewSession();
        return await server.NewSessionOf(plain.ModelName, (await server.Post("/v1/agents", $$"""
            {"name":"n","model":"{{plain.ModelName}}","tools":[{"type":"agent_toolset_20260401"}],
             "skills":[{"type":"anthropic","skill_id":"{{name}}"}]}
            """)).Ok().Text("id"));
    }

    private static Task<string> Put(TestSession session, string path, string content) => session.Call(
        "write", JsonSerializer.Serialize(new { file_path = path, content = content.ReplaceLineEndings("\n") }));

    private string Output(TestSession session, string name) => Path.Combine(
        server.Services.GetRequiredService<SandboxProvider>().FolderOf(session.Id).Outputs, name);

    private static void AssertSound(OpenXmlPackage package)
    {
        // openpyxl writes the parts of a font in an order of its own, as all of its users know, and Excel takes it.
        var complaints = new OpenXmlValidator(FileFormatVersions.Office2013).Validate(package)
            .Select(error => $"{error.Part?.Uri} {error.Path?.XPath}: {error.Description}")
            .Where(complaint => !complaint.Contains("/x:styleSheet[1]/x:fonts", StringComparison.Ordinal))
            .ToList();
        Assert.True(complaints.Count == 0, string.Join('\n', complaints));
    }
}
