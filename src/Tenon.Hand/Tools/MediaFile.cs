using System.Globalization;
using Tenon.Wire.Content;
using Tenon.Wire.Hand;

namespace Tenon.Hand.Tools;

/// <summary>Pictures and PDFs, as <c>read</c> shows them: as they are, within what a model can be shown.</summary>
internal static class MediaFile
{
    /// <summary>How a PDF begins.</summary>
    public static ReadOnlySpan<byte> PdfHead => "%PDF-"u8;

    public static ToolAnswer ReadPicture(FileStream file, string shown)
    {
        if (file.Length > Picture.BytesMax)
        {
            throw new ToolFault($"read: {shown} is a picture of {file.Length} bytes, and a model is shown at most "
                + $"{Picture.BytesMax}; make a smaller one, of at most 1568 pixels a side, and read that");
        }

        var bytes = TextFile.ReadAll(file);
        var picture = Picture.Of(bytes);
        if (picture is not { IsWhole: true, Width: > 0, Height: > 0 })
        {
            throw new ToolFault($"read: {shown} begins as a picture and is cut off or damaged");
        }

        if (Math.Max(picture.Width, picture.Height) > Picture.SideMax)
        {
            throw new ToolFault($"read: {shown} is a picture of {picture.Width} x {picture.Height} pixels, and a model "
                + $"is shown at most {Picture.SideMax} a side; make a smaller one and read that");
        }

        var text = $"{shown}: {picture.MediaType}, {picture.Width} x {picture.Height} pixels";
        return Shown(text, shown, picture.MediaType, bytes);
    }

    public static ToolAnswer ReadPdf(FileStream file, string shown)
    {
        if (file.Length > ToolLimits.PdfBytes)
        {
            throw new ToolFault($"read: {shown} is a PDF of {file.Length} bytes, and a model is shown at most "
                + $"{ToolLimits.PdfBytes}; read its text with pdftotext, or take pages out of it into another file");
        }

        var bytes = TextFile.ReadAll(file);
        var pages = PdfPages.Count(bytes) ?? throw new ToolFault(
            $"read: {shown} is a PDF that is encrypted or damaged; read its text with pdftotext");
        return pages <= ToolLimits.PdfPages
            ? Shown($"{shown}: {HandMedia.Pdf}, {pages.ToString(CultureInfo.InvariantCulture)} pages", shown,
                HandMedia.Pdf, bytes)
            : throw new ToolFault($"read: {shown} is a PDF of {pages} pages, and a model is shown at most "
                + $"{ToolLimits.PdfPages}; read its text with pdftotext, or take pages out of it into another file");
    }

    private static ToolAnswer Shown(string text, string path, string type, byte[] bytes) => new(text, false)
    {
        Parts = [ToolPart.Of(text), new ToolPart(null, type, Path.GetFileName(path), bytes)],
    };
}
