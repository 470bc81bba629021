using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Tenon.Bench.Soak;
using Tenon.Server.Tests.Support;

namespace Tenon.Bench;

/// <summary>
/// A file of a gigabyte on its way through <c>./tenon serve</c> as a child: uploaded, handed to a session, left by its
/// agent and downloaded; what memory the server needed at most for each; and how soon what an agent writes is listed.
/// </summary>
internal static class FileTraffic
{
    private const string Name = "files";
    private const long Bytes = 1L << 30;
    private const double Megabyte = 1 << 20;
    private const int PieceBytes = 1 << 20;
    private const double MemoryMbMax = 200;
    private const double ListedMsMax = 1_000;
    private const int Outputs = 15;

    /// <summary>Resets the mark of what a process has needed at most.</summary>
    private const string ResetPeak = "5";

    private const string Copy = "cp /mnt/session/uploads/f /mnt/session/outputs/large.bin";

    // Each file says when it was written.
    private static readonly string Write = BenchRun.Invariant(
        $"for i in $(seq {Outputs}); do date +%s%N > /outputs/t$i; sleep 0.7; done");

    public static async Task Run(BenchRun run)
    {
        await using var model = new AnthropicService { Responder = Answer };
        var server = new SoakServer(model.Url, run.Postgres, ("TENON_FILES_MAX_MB", "2048"));
        try
        {
            await Start(server);
            await Pass(run, server);
            await Listed(run, server);
        }
        finally
        {
            await server.Clear();
            await server.DisposeAsync();
        }
    }

    private static async Task Start(SoakServer server)
    {
        server.Start();
        await server.Ready();
        await Upload(server, PieceBytes);
    }

    private static async Task Pass(BenchRun run, SoakServer server)
    {
        var floor = await WriteBare(server.Data);
        var (file, took, memory) = await Watched(server, () => Upload(server, Bytes));
        Report(run, "uploaded", took, floor, memory);

        var session = await NewSession(server, $$"""
            ,"resources":[{"type":"file","file_id":"{{file}}","mount_path":"/f"}]
            """);
        (var output, _, memory) = await Watched(server, async () =>
        {
            await Send(server, session, Copy);
            return await Until(server, files => Find(files, "large.bin"));
        });
        Memory(run, "copied to the outputs and kept", memory);

        // Another process, so that what the session has cost does not stand in the figure.
        await server.Kill();
        await Start(server);
        (_, took, memory) = await Watched(server, () => Download(server, output.GetProperty("id").GetString()!));
        Report(run, "downloaded", took, floor, memory);
    }

    private static async Task Listed(BenchRun run, SoakServer server)
    {
        var figures = new Figures("from the write of an output until it is listed, while the command runs on");
        var session = await NewSession(server, "");
        await Send(server, session, Write);
        for (var i = 1; i <= Outputs; i++)
        {
            var file = await Until(server, files => Find(files, $"t{i}"));
            var seen = TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch;
            var written = await server.Client.GetStringAsync($"/v1/files/{file.GetProperty("id").GetString()}/content");
            figures.Add(seen - TimeSpan.FromMicroseconds(
                long.Parse(written.Trim(), CultureInfo.InvariantCulture) / 1_000.0));
        }

        run.Add(Name, figures, 0.50, ListedMsMax);
        run.Add(Name, figures, 1.00, ListedMsMax);
    }

    private static Reply Answer(JsonElement request)
    {
        var said = request.GetProperty("messages").EnumerateArray().Last();
        var last = said.GetProperty("content").EnumerateArray().Last();
        return last.GetProperty("type").GetString() == "text"
            ? Reply.ToolUse("bash", new { command = last.GetProperty("text").GetString() })
            : Reply.Text("done");
    }

    /// <summary>What the work gave, how long it took, and what the server held before and at most meanwhile, in MB.
    /// </summary>
    private static async Task<(T Result, TimeSpan Took, (double Before, double Peak) Memory)> Watched<T>(
        SoakServer server, Func<Task<T>> work)
    {
        await File.WriteAllTextAsync($"/proc/{server.Pid}/clear_refs", ResetPeak);
        var before = server.Memory("VmHWM");
        var begun = Stopwatch.GetTimestamp();
        var result = await work();
        var took = Stopwatch.GetElapsedTime(begun);
        return (result, took, (before, server.Memory("VmHWM")));
    }

    private static void Report(BenchRun run, string what, TimeSpan took, TimeSpan floor, (double, double) memory)
    {
        run.Add(new Measure
        {
            Name = Name, What = $"1 GiB {what}", Here = Bytes / Megabyte / took.TotalSeconds, Unit = "MB a second",
            MoreIsBetter = true, Floor = Bytes / Megabyte / floor.TotalSeconds, FloorIs = "written to the disk, bare",
            Ratio = floor / took,
        });
        Memory(run, what, memory, MemoryMbMax);
    }

    private static void Memory(
        BenchRun run, string what, (double Before, double Peak) memory, double? reach = null) => run.Add(new Measure
    {
        Name = Name, What = $"resident memory of the server at most, while 1 GiB is {what}", Here = memory.Peak,
        Unit = "MB", Reach = reach, Floor = memory.Before, FloorIs = "before", Ratio = memory.Peak / memory.Before,
    });

    private static async Task<TimeSpan> WriteBare(string folder)
    {
        var path = Path.Combine(folder, "bare");
        var begun = Stopwatch.GetTimestamp();
        await using (var file = File.Create(path))
        {
            await new Content(Bytes).CopyToAsync(file);
            file.Flush(flushToDisk: true);
        }

        var took = Stopwatch.GetElapsedTime(begun);
        File.Delete(path);
        return took;
    }

    private static async Task<string> Upload(SoakServer server, long bytes)
    {
        using var form = new MultipartFormDataContent { { new StreamContent(new Content(bytes)), "file", "f.bin" } };
        using var answer = await server.Client.PostAsync("/v1/files", form);
        return (await Read(answer)).GetProperty("id").GetString()!;
    }

    private static async Task<long> Download(SoakServer server, string id)
    {
        await using var content = await server.Client.GetStreamAsync($"/v1/files/{id}/content");
        var (buffer, total) = (new byte[PieceBytes], 0L);
        for (int count; (count = await content.ReadAsync(buffer)) > 0;)
        {
            total += count;
        }

        return total == Bytes ? total : throw new InvalidOperationException($"{total} bytes came back.");
    }

    private static async Task<string> NewSession(SoakServer server, string more)
    {
        var agent = await server.Post("/v1/agents",
            """{"name":"bench","model":"claude-opus-4-8","tools":[{"type":"agent_toolset_20260401"}]}""");
        var environment = await server.Post("/v1/environments", """{"name":"bench"}""");
        var session = await server.Post("/v1/sessions", $$"""
            {"agent":"{{agent.GetProperty("id")}}","environment_id":"{{environment.GetProperty("id")}}"{{more}}}
            """);
        return session.GetProperty("id").GetString()!;
    }

    private static async Task Send(SoakServer server, string session, string command) =>
        await server.Post($"/v1/sessions/{session}/events", JsonSerializer.Serialize(new
        {
            events = new[] { new { type = "user.message", content = new[] { new { type = "text", text = command } } } },
        }));

    private static JsonElement? Find(JsonElement files, string name) => files.EnumerateArray()
        .Where(file => file.GetProperty("filename").GetString() == name).Cast<JsonElement?>().FirstOrDefault();

    /// <summary>Asks for all files, which looks at no sandbox, until what is wanted is among them.</summary>
    private static async Task<JsonElement> Until(SoakServer server, Func<JsonElement, JsonElement?> find)
    {
        while (true)
        {
            using var answer = await server.Client.GetAsync("/v1/files?limit=100");
            if (find((await Read(answer)).GetProperty("data")) is { } found)
            {
                return found;
            }

            await Task.Delay(5);
        }
    }

    private static async Task<JsonElement> Read(HttpResponseMessage answer) => answer.IsSuccessStatusCode
        ? await answer.Content.ReadFromJsonAsync<JsonElement>()
        : throw new InvalidOperationException(await answer.Content.ReadAsStringAsync());

    /// <summary>So many bytes that no disk makes smaller, from a piece of memory.</summary>
    private sealed class Content(long bytes) : MemoryStream
    {
        private static readonly byte[] Piece =
            System.Security.Cryptography.RandomNumberGenerator.GetBytes(PieceBytes);

        private long _left = bytes;

        public override bool CanSeek => false;

        public override int Read(Span<byte> buffer)
        {
            var count = (int)Math.Min(Math.Min(buffer.Length, PieceBytes), _left);
            Piece.AsSpan(0, count).CopyTo(buffer);
            _left -= count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(Read(buffer.Span));

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
            CopyAll(destination, cancellationToken);

        private async Task CopyAll(Stream destination, CancellationToken cancellationToken)
        {
            var buffer = new byte[PieceBytes];
            for (int count; (count = Read(buffer)) > 0;)
            {
                await destination.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
            }
        }
    }
}
