using System.Text;
using UglyToad.PdfPig;
using UglyToad.PdfPig.DocumentLayoutAnalysis.TextExtractor;
using UglyToad.PdfPig.Exceptions;

namespace Tenon.Server.Web.Reading;

/// <summary>The text of a PDF, page by page.</summary>
internal static class PdfText
{
    public static DocumentText Read(byte[] bytes, int pagesMax, int charsMax)
    {
        using var document = PdfDocument.Open(
            bytes, new ParsingOptions { UseLenientParsing = true, SkipMissingFonts = true });
        var text = new StringBuilder();
        var page = 0;
        while (page < document.NumberOfPages && page < pagesMax && text.Length < charsMax)
        {
            page++;
            text.Append(text.Length > 0 ? "\n\n" : "").Append("[Page ").Append(page).Append("]\n")
                .Append(ContentOrderTextExtractor.GetText(document.GetPage(page)).Trim());
        }

        var isCut = page < document.NumberOfPages || text.Length > charsMax;
        return new DocumentText(document.Information.Title, TextCut.At(text.ToString(), charsMax), isCut);
    }

    public static bool IsLocked(Exception exception) => exception is PdfDocumentEncryptedException;
}
