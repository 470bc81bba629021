using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Tenon.Server.Web.Reading;

/// <summary>
/// One process that reads documents: this program again, with a heap that is bounded, and without the server's
/// variables, in which secrets are. It is killed when it takes too long, which no parser can prevent.
/// </summary>
internal sealed class ReaderProcess : IDisposable
{
    /// <summary>The verb of this program that reads; no person types it.</summary>
    public const string Verb = "read-documents";

    private readonly Process _process;

    private ReaderProcess(Process process) => _process = process;

    public int Id => _process.Id;

    public static ReaderProcess Start(long heapBytesMax)
    {
        // NOTE: not Environment.ProcessPath, which may be a program that has this one as a library.
        var dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../../dotnet"));
        var start = new ProcessStartInfo(dotnet, [typeof(ReaderProcess).Assembly.Location, Verb])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        start.Environment["DOTNET_GCHeapHardLimit"] = "0x" + heapBytesMax.ToString("x", CultureInfo.InvariantCulture);
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        start.Environment["DOTNET_PROCESSOR_COUNT"] = "1";
        start.Environment["DOTNET_EnableDiagnostics"] = "0"; // leaves nothing in the folder for temporary files
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return new ReaderProcess(process);
    }

    /// <summary>Has one document read. When this throws the process is of no use any more.</summary>
    /// <exception cref="IOException">The process has died.</exception>
    public async Task<ReadAnswer> Ask(
        ReadRequest request, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var input = _process.StandardInput.BaseStream;
        var head = JsonSerializer.SerializeToUtf8Bytes(request, ReaderJson.Default.ReadRequest);
        await ReaderFrames.Write(input, head, cancellationToken);
        await ReaderFrames.Write(input, bytes, cancellationToken);
        var answer = await ReaderFrames.Read(_process.StandardOutput.BaseStream, cancellationToken)
            ?? throw new IOException("The process that read the document has ended.");
        return JsonSerializer.Deserialize(answer, ReaderJson.Default.ReadAnswer)!;
    }

    public void Dispose()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended already.
        }

        _process.Dispose();
    }
}
