using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Tenon.Server.Mcp;

/// <summary>
/// The name by which models know a server's tool: <c>mcp__server__tool</c>, in the letters and the length that every
/// model service takes. Two tools never have the same.
/// </summary>
public static partial class McpToolName
{
    /// <summary>What all of them begin with, and no custom tool may (api B.1).</summary>
    public const string Prefix = "mcp__";

    private const int LengthMax = 64;
    private const int HashChars = 10;

    /// <summary>
    /// As it reads, when that can mean one tool only; else with other letters left out, and a hash that tells it from
    /// those that look alike. It depends on the two names alone, so that no other server changes it.
    /// </summary>
    public static string Of(string server, string tool)
    {
        var name = $"{Prefix}{server}__{tool}";
        if (Plain().IsMatch(server) && ToolLetters().IsMatch(tool) && name.Length <= LengthMax)
        {
            return name;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{server}\0{tool}")))[..HashChars];
        var readable = OtherLetters().Replace(name, "_");
        return $"{readable[..Math.Min(readable.Length, LengthMax - HashChars - 1)]}_{hash}";
    }

    // Without two underscores in a row, and none at its ends: the first two in a row end it.
    [GeneratedRegex("^[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*$")]
    private static partial Regex Plain();

    [GeneratedRegex("^[A-Za-z0-9_-]+$")]
    private static partial Regex ToolLetters();

    [GeneratedRegex("[^A-Za-z0-9_-]")]
    private static partial Regex OtherLetters();
}
