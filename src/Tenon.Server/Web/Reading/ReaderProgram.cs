using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Tenon.Server.Web.Reading;

/// <summary>
/// The other process: reads documents that strangers made, one after the other, until its input ends. What such a
/// document can do at worst is end this process, and the one who asked reads that it could not be read.
/// </summary>
internal static class ReaderProgram
{
    /// <summary>Parsers go down with every element that is in another, and pages nest thousands.</summary>
    private const int StackBytes = 64 * 1024 * 1024;

    public static async Task Serve(Stream input, Stream output, CancellationToken cancellationToken)
    {
        while (await ReaderFrames.Read(input, cancellationToken) is { } head
            && await ReaderFrames.Read(input, cancellationToken) is { } bytes)
        {
            var request = JsonSerializer.Deserialize(head, ReaderJson.Default.ReadRequest)!;
            using var watchdog = new Timer(_ => End(), null, request.Seconds * 1_000, Timeout.Infinite);
            var answer = await OnWideStack(() => Answer(request, bytes));
            await ReaderFrames.Write(
                output, JsonSerializer.SerializeToUtf8Bytes(answer, ReaderJson.Default.ReadAnswer), cancellationToken);
        }
    }

    private static void End()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
    }

    private static Task<ReadAnswer> OnWideStack(Func<ReadAnswer> read)
    {
        var done = new TaskCompletionSource<ReadAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() => done.SetResult(read()), StackBytes) { IsBackground = true }.Start();
        return done.Task;
    }

    private static ReadAnswer Answer(ReadRequest request, byte[] bytes)
    {
        try
        {
            return new ReadAnswer(
                request.Kind == "pdf"
                    ? PdfText.Read(bytes, request.PagesMax, request.CharsMax)
                    : HtmlText.Read(Encoding.UTF8.GetString(bytes), request.Url!, request.CharsMax),
                null);
        }
        catch (OutOfMemoryException)
        {
            // The heap's limit is there for such a document.
            return new ReadAnswer(null, "it takes too much memory to be read");
        }
        catch (Exception exception)
        {
            // A parser may stumble over anything in a document that nobody has checked.
            return new ReadAnswer(null, PdfText.IsLocked(exception)
                ? "it is encrypted" : "it is damaged, or not what it says it is");
        }
    }
}
