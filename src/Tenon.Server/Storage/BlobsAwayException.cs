namespace Tenon.Server.Storage;

/// <summary>
/// The bytes of files cannot be reached now; the same may work later. The message is shown to clients and names no
/// secret.
/// </summary>
public sealed class BlobsAwayException(string message, Exception? inner = null) : Exception(message, inner);
