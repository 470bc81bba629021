using System.Net.Sockets;
using Tenon.Wire.Hand;

namespace Tenon.Server.Sandboxes;

/// <content>What stands around a sandbox while it lives: its uploads, and its way out.</content>
public sealed partial class SandboxProvider
{
    /// <summary>
    /// Something in a session's outputs folder may have changed: gets the session's id, often, and must not wait.
    /// </summary>
    public event Action<string>? OutputsWritten;

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
