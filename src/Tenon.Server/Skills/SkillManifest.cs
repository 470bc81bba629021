using System.Text;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Tenon.Server.Skills;

/// <summary>What a <c>SKILL.md</c> says of its skill in YAML, before its instructions begin.</summary>
/// <param name="Name">Null when it says none.</param>
/// <param name="Description">Null when it says none.</param>
public sealed partial record SkillManifest(string? Name, string? Description)
{
    public const string FileName = "SKILL.md";
    public const int DescriptionCharsMax = 1_024;

    private const int NameCharsMax = 64;

    /// <summary>Name and description take two kilobytes; the rest is for what other programs keep there.</summary>
    private const int FrontMatterCharsMax = 32 * 1024;

    private const string Fence = "---";

    private static readonly UTF8Encoding Strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the front matter; null, with what is wrong, when there is none that can be read.</summary>
    public static SkillManifest? Parse(ReadOnlySpan<byte> content, out string problem)
    {
        problem = "";
        try
        {
            var text = Strict.GetString(
                content.StartsWith(Encoding.UTF8.Preamble) ? content[Encoding.UTF8.Preamble.Length..] : content);
            if (FrontMatter(text) is { } yaml)
            {
                return Read(new Parser(new StringReader(yaml)));
            }

            problem = "must begin with a line ---, then name and description in YAML, then another line ---.";
        }
        catch (DecoderFallbackException)
        {
            // The platform says so only by throwing.
            problem = "is not UTF-8 text.";
        }
        catch (YamlException exception)
        {
            // The parser counts from one, and the fence is a line too.
            problem = $"has no valid YAML before its instructions, at line {exception.Start.Line + 1}: "
                + $"{exception.Message.TrimEnd('.')}. Put a value with a colon in quotes.";
        }

        catch (InvalidOperationException)
        {
            // What the parser's own scanner says of a few broken texts, which a fuzz test has found.
            problem = "has no valid YAML before its instructions.";
        }

        return null;
    }

    /// <summary>Why a skill cannot be called so; null when it can.</summary>
    public static string? ProblemOfName(string name) =>
        name.Length is 0 or > NameCharsMax || !Slug().IsMatch(name)
            ? $"must have 1 to {NameCharsMax} lower-case letters, digits and hyphens."
            : Reserved().Match(name) is { Success: true } word ? $"must not have the word '{word.Value}' in it." : null;

    /// <summary>Why a skill cannot be described so; null when it can.</summary>
    public static string? ProblemOfDescription(string? description) =>
        string.IsNullOrWhiteSpace(description) ? "is missing: say what the skill does, and when to use it."
            : description.Length > DescriptionCharsMax ? $"must have at most {DescriptionCharsMax} characters."
            : Tag().IsMatch(description) ? "must not have XML tags in it."
            : description.Any(c => char.IsControl(c) && c is not ('\n' or '\r' or '\t')) || !IsText(description)
                ? "must not have control characters in it, nor what is no character."
            : null;

    /// <summary>Whether all of it is characters: bytes of no known encoding came as the replacement character.
    /// </summary>
    internal static bool IsText(string text)
    {
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune == Rune.ReplacementChar)
            {
                return false;
            }
        }

        return true;
    }

    private static string? FrontMatter(string text)
    {
        using var reader = new StringReader(text);
        if (reader.ReadLine()?.TrimEnd() != Fence)
        {
            return null;
        }

        var yaml = new StringBuilder();
        while (reader.ReadLine() is { } line && yaml.Length <= FrontMatterCharsMax)
        {
            if (line.TrimEnd() == Fence)
            {
                return yaml.ToString();
            }

            yaml.Append(line).Append('\n');
        }

        return null;
    }

    // Event by event: nothing is built of what else stands there, and an alias is only a word.
    private static SkillManifest Read(Parser yaml)
    {
        yaml.Consume<StreamStart>();
        if (!yaml.TryConsume<DocumentStart>(out _) || !yaml.TryConsume<MappingStart>(out _))
        {
            throw new YamlException(Mark.Empty, Mark.Empty, "there are no names with values");
        }

        var found = new Dictionary<string, string>();
        while (!yaml.TryConsume<MappingEnd>(out _))
        {
            var key = yaml.TryConsume<Scalar>(out var name) ? name.Value : null;
            if (key is null)
            {
                yaml.SkipThisAndNestedEvents();
            }

            if (key is not ("name" or "description"))
            {
                yaml.SkipThisAndNestedEvents();
            }
            else if (!yaml.TryConsume<Scalar>(out var value))
            {
                throw new YamlException(yaml.Current!.Start, yaml.Current.End, $"{key} must be a text");
            }
            else if (!found.TryAdd(key, value.Value.Trim()))
            {
                throw new YamlException(value.Start, value.End, $"{key} is there twice");
            }
        }

        return new SkillManifest(found.GetValueOrDefault("name"), found.GetValueOrDefault("description"));
    }

    [GeneratedRegex("^[a-z0-9-]+$")]
    private static partial Regex Slug();

    [GeneratedRegex("anthropic|claude")]
    private static partial Regex Reserved();

    [GeneratedRegex("<[A-Za-z/!?][^>]*>")]
    private static partial Regex Tag();
}
