using System.Net.Sockets;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <content>What stands around a sandbox while it lives: its uploads, its memory, and its way out.</content>
public sealed partial class SandboxProvider
{
    /// <summary>
    /// Something in a session's outputs folder may have changed: gets the session's id, often, and must not wait.
    /// </summary>
    public event Action<string>? OutputsWritten;

    /// <summary>The same of its memory stores.</summary>
    public event Action<string>? MemoryWritten;

    /// <summary>Keeps the files of memory stores; null where no layer has any.</summary>
    internal MemoryPlaces? Memories { get; init; }

    /// <summary>
    /// The files of a session whose sandbox lives; null when it does not. To look at them keeps nothing awake.
    /// </summary>
    public SandboxFolder? LiveFiles(string sessionId) =>
        _slots.TryGetValue(sessionId, out var slot) && slot.Sandbox is { IsAlive: true }
            ? _files.FolderOf(sessionId) : null;

    private void Hear(string sessionId, string word)
    {
        if (word == HandEvents.OutputsWritten)
        {
            OutputsWritten?.Invoke(sessionId);
        }
        else if (word == HandEvents.MemoryWritten)
        {
            MemoryWritten?.Invoke(sessionId);
        }
    }

    /// <summary>What a sandbox wrote while no server was there, nobody was told of.</summary>
    private void TellFound(string sessionId)
    {
        OutputsWritten?.Invoke(sessionId);
        MemoryWritten?.Invoke(sessionId);
    }

    private Task PlaceMemories(SandboxFolder folder, SandboxLayer layer, CancellationToken cancellationToken) =>
        layer.Memories.Count == 0 ? Task.CompletedTask : Memories!.Place(folder, layer.Memories, cancellationToken);

    /// <summary>Ends a life and what stands around it. Its files are still there.</summary>
    private async Task EndAlone(SandboxFolder folder, SandboxRecord? record)
    {
        await Task.Run(() => End(record), CancellationToken.None);
        await ShutIn(folder.Name);
        await (Memories?.Leave(folder) ?? Task.CompletedTask);
    }

    // It may take minutes: whoever asks something of the sandbox waits for it, and nobody else does.
    private void BeginProvision(string sessionId, HandSandbox sandbox)
    {
        if (Provision is { } provision)
        {
            sandbox.Provisioning = new Provisioning(
                () => provision(sessionId, sandbox, CancellationToken.None), _time);
            _ = sandbox.Provisioning.Result();
        }
    }

    private async Task Place(
        SandboxFolder folder, SandboxRecord record, string sessionId, CancellationToken cancellationToken)
    {
        var uploads = await _uploadsOf(sessionId, cancellationToken);
        try
        {
            await Task.Run(() => SandboxUploads.Place(folder, uploads, record.Uid), cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk's word is the reason; the caller needs to know that files are missing.
            throw new SandboxException($"The session's uploads could not be placed: {exception.Message}", exception);
        }
    }

    private void LetOut(string sessionId, SandboxFolder folder, int? uid)
    {
        try
        {
            Directory.CreateDirectory(folder.Egress);
            SandboxUploads.Own(folder.Egress, uid);
            _egress?.Listen(sessionId, folder.Egress, uid);
        }
        catch (Exception exception) when (exception is IOException or SocketException or UnauthorizedAccessException)
        {
            // A sandbox that can reach nothing would fail in ways that nobody understands.
            throw new SandboxException($"The sandbox's way out could not be made: {exception.Message}", exception);
        }
    }

    private Task ShutIn(string sessionId) => _egress?.Close(sessionId) ?? Task.CompletedTask;
}
