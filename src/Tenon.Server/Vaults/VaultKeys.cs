using System.Security.Cryptography;
using System.Text;
using Tenon.Server.Storage;

namespace Tenon.Server.Vaults;

/// <summary>
/// Seals secrets for the database with AES-256-GCM. Keys are lines of base64, the first one of which seals; the others
/// only open what was sealed before it came.
/// </summary>
public sealed class VaultKeys
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int IdDigits = 16;

    /// <summary>A key that is used no more is taken out of the file; so many at once are a mistake.</summary>
    private const int KeysMax = 16;

    private readonly Lock _lock = new();
    private readonly string? _path;
    private List<Key> _keys;

    private VaultKeys(List<Key> keys, string? path) => (_keys, _path) = (keys, path);

    /// <summary>The ids of the keys that are there.</summary>
    public IReadOnlySet<string> Ids => _keys.Select(key => key.Id).ToHashSet();

    /// <summary>The key that seals now; null when the first one is still to be made.</summary>
    public string? CurrentId => _keys.Count > 0 ? _keys[0].Id : null;

    /// <summary>From a file, which may not be there yet: it is made when the first secret is sealed.</summary>
    /// <exception cref="IOException">Others may read it, or a line is no key.</exception>
    public static VaultKeys FromFile(string path) => new(
        PrivateFile.Read(path) is { } content ? Parse(Encoding.ASCII.GetString(content), path) : [], path);

    /// <param name="source">Where they come from, for people.</param>
    /// <exception cref="IOException">A line is no key, or there is none.</exception>
    public static VaultKeys FromText(string text, string source) =>
        Parse(text, source) is { Count: > 0 } keys ? new VaultKeys(keys, null)
            : throw new IOException($"{source} gives no key for the vaults.");

    /// <summary>Puts a new key before those of the file, and makes the file if there is none.</summary>
    public static void AddToFile(string path)
    {
        var known = FromFile(path)._keys;
        if (known.Count >= KeysMax)
        {
            throw new IOException($"{path} has {known.Count} keys. Take out those that are used no more.");
        }

        WriteFile(path, [Key.New(), .. known]);
    }

    /// <summary>Seals for one place only: moved to another, it cannot be opened.</summary>
    public SealedSecret Seal(string place, ReadOnlySpan<byte> secret)
    {
        var key = Current();
        var content = new byte[NonceBytes + TagBytes + secret.Length];
        var nonce = content.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(key.Bytes, TagBytes);
        aes.Encrypt(
            nonce, secret, content.AsSpan(NonceBytes + TagBytes), content.AsSpan(NonceBytes, TagBytes),
            Encoding.UTF8.GetBytes(place));
        return new SealedSecret(key.Id, content);
    }

    /// <exception cref="CryptographicException">The key is not there, or this is not what was sealed for the place.
    /// </exception>
    public byte[] Open(string place, SealedSecret @sealed)
    {
        var key = _keys.Find(key => key.Id == @sealed.KeyId)
            ?? throw new CryptographicException($"The key {@sealed.KeyId}, which sealed {place}, is not there.");
        var secret = new byte[@sealed.Content.Length - NonceBytes - TagBytes];
        using var aes = new AesGcm(key.Bytes, TagBytes);
        aes.Decrypt(
            @sealed.Content.AsSpan(0, NonceBytes), @sealed.Content.AsSpan(NonceBytes + TagBytes),
            @sealed.Content.AsSpan(NonceBytes, TagBytes), secret, Encoding.UTF8.GetBytes(place));
        return secret;
    }

    private Key Current()
    {
        lock (_lock)
        {
            if (_keys.Count == 0)
            {
                var made = Key.New();
                WriteFile(_path!, [made]);
                _keys = [made];
            }

            return _keys[0];
        }
    }

    private static void WriteFile(string path, IEnumerable<Key> keys) => PrivateFile.Write(
        path, Encoding.ASCII.GetBytes(string.Concat(keys.Select(key => Convert.ToBase64String(key.Bytes) + "\n"))));

    private static List<Key> Parse(string text, string source)
    {
        var keys = new List<Key>();
        foreach (var line in text.Split(
            ['\n', ','], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var bytes = new byte[KeyBytes];
            if (!Convert.TryFromBase64String(line, bytes, out var count) || count != KeyBytes)
            {
                throw new IOException(
                    $"{source}: every line must be {KeyBytes} bytes in base64, as `openssl rand -base64 32` prints.");
            }

            keys.Add(new Key(bytes));
        }

        return keys.Count <= KeysMax ? keys
            : throw new IOException($"{source} has {keys.Count} keys; at most {KeysMax} are read.");
    }

    private sealed class Key(byte[] bytes)
    {
        public byte[] Bytes => bytes;

        /// <summary>Tells keys apart, and says nothing of them.</summary>
        public string Id { get; } =
            Convert.ToHexStringLower(SHA256.HashData([.. "tenon vault key\n"u8, .. bytes]))[..IdDigits];

        public static Key New() => new(RandomNumberGenerator.GetBytes(KeyBytes));
    }
}

/// <param name="KeyId">Which key opens it.</param>
/// <param name="Content">Nonce, tag and ciphertext.</param>
public sealed record SealedSecret(string KeyId, byte[] Content);
