using System.Security.Cryptography;
using System.Text;
using Tenon.Wire;
using Tenon.Wire.Http;

namespace Tenon.Server.Http;

/// <summary>
/// The key that clients send, by <c>Authorization: Bearer</c> or <c>X-Api-Key</c>. Only its hash is kept, and compared
/// in constant time.
/// </summary>
public sealed class ApiKeys
{
    private const string FileName = "api-key.sha256";
    private readonly List<byte[]> _hashes;

    private ApiKeys(byte[] hash) => _hashes = [hash];

    /// <summary>
    /// The key of this installation: <paramref name="given"/>, or else the one made at the first start.
    /// <paramref name="made"/> is that key when it was made just now; it cannot be read again later.
    /// </summary>
    public static ApiKeys Load(string? given, string dataDirectory, out string? made)
    {
        made = null;
        if (!string.IsNullOrEmpty(given))
        {
            return new ApiKeys(Hash(given));
        }

        var path = Path.Combine(dataDirectory, FileName);
        if (!File.Exists(path))
        {
            made = "tenon-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            using var writer = new StreamWriter(path, options);
            writer.Write(Convert.ToHexStringLower(Hash(made)));
            return new ApiKeys(Hash(made));
        }

        return new ApiKeys(Convert.FromHexString(File.ReadAllText(path).Trim()));
    }

    /// <summary>Takes one more key for as long as this process lives. Called before the server starts.</summary>
    public void Admit(string key) => _hashes.Add(Hash(key));

    public bool Accepts(HttpRequest request) => Find(request) is not null;

    /// <summary>
    /// The id of the key that the request has, always the same for one key; null when it has none. It is made of the
    /// key's hash by another one, so that nothing is learnt of either.
    /// </summary>
    public string? IdOf(HttpRequest request) => Find(request) is { } hash
        ? IdSource.Of(IdPrefix.ApiKey, HMACSHA256.HashData("tenon api key id"u8, hash)) : null;

    private byte[]? Find(HttpRequest request)
    {
        var bearer = request.Headers.Authorization.ToString();
        const string Scheme = "Bearer ";
        return (bearer.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? Match(bearer[Scheme.Length..]) : null)
            ?? (request.Headers.TryGetValue("X-Api-Key", out var key) ? Match(key.ToString()) : null);
    }

    private byte[]? Match(string key)
    {
        var hash = Hash(key.Trim());
        return _hashes.Find(known => CryptographicOperations.FixedTimeEquals(hash, known));
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}

/// <summary>Refuses every request to <c>/v1</c> without the key.</summary>
public static class Authentication
{
    public static IApplicationBuilder UseApiKey(this IApplicationBuilder app) => app.Use(async (context, next) =>
    {
        if (context.Request.Path.StartsWithSegments("/v1", StringComparison.Ordinal)
            && !context.RequestServices.GetRequiredService<ApiKeys>().Accepts(context.Request))
        {
            await Errors.Write(context, new Refusal(401, ErrorTypes.Authentication,
                "The API key is missing or wrong: send it as 'Authorization: Bearer <key>' or 'X-Api-Key: <key>'.",
                null));
            return;
        }

        await next(context);
    });
}
