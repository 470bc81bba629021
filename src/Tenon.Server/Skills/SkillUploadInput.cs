using Tenon.Server.Files;
using Tenon.Server.Http;

namespace Tenon.Server.Skills;

/// <summary>
/// The form that makes a skill or a version of one: its files under their paths, or one zip. All of it is in memory
/// while it is checked; the bound on a skill is the bound on that.
/// </summary>
public sealed class SkillUploadInput
{
    private const int DisplayNameCharsMax = 255;

    private readonly List<SkillFile> _files = [];
    private int _bytesLeft = SkillBundleRules.BytesMax;

    /// <summary>Null when the client leaves it to the skill's name.</summary>
    public string? DisplayName { get; private set; }

    public SkillBundle Bundle { get; private set; } = null!;

    /// <exception cref="ApiException">400 or 413, with the field.</exception>
    public static async Task<SkillUploadInput> Read(
        string? contentType, Stream body, CancellationToken cancellationToken)
    {
        var input = new SkillUploadInput();
        await FormInput.Read(
            contentType, body, SkillBundleRules.FilesMax + 8, part => input.ReadPart(part, cancellationToken),
            cancellationToken);
        input.Bundle = SkillBundleRules.Check(input.Unpacked());
        return input;
    }

    /// <summary>400: the files are larger together than a skill may be.</summary>
    public static ApiException TooLarge() => ApiException.Invalid(
        "files", $"all files together must have at most {SkillBundleRules.BytesMax} bytes, unpacked.");

    private IReadOnlyList<SkillFile> Unpacked() => _files switch
    {
        [] => throw ApiException.Invalid("files", "field required"),
        [var zip] when SkillArchiveRules.IsZip(zip.Content) => SkillArchiveRules.Files(zip.Content),
        [{ Path: var path }] when path.EndsWith(".zip", StringComparison.OrdinalIgnoreCase) =>
            throw ApiException.Invalid("files", "the file is called .zip and is no zip archive."),
        { Count: > SkillBundleRules.FilesMax } =>
            throw ApiException.Invalid("files", $"a skill has at most {SkillBundleRules.FilesMax} files."),
        _ => _files,
    };

    private async Task ReadPart(FormPart part, CancellationToken cancellationToken)
    {
        switch (part.Name)
        {
            // One SDK numbers its files.
            case "files" or "files[]" or ['f', 'i', 'l', 'e', 's', '[', _, .., ']']:
                using (var content = new MemoryStream())
                {
                    var count = await FormInput.Copy(part.Body, content, _bytesLeft, cancellationToken)
                        ?? throw TooLarge();
                    _bytesLeft -= (int)count;
                    var bytes = content.ToArray();
                    _files.Add(new SkillFile(part.FileName ?? "", bytes, bytes.AsSpan().StartsWith("#!"u8)));
                }

                break;
            case "display_name" or "display_title":
                DisplayName = CheckDisplayName(part.Name, await FormInput.Text(part, cancellationToken));
                break;
            default:
                await FormInput.Text(part, cancellationToken);
                break;
        }
    }

    private static string? CheckDisplayName(string field, string text) =>
        text.Length == 0 ? null
            : text.Length > DisplayNameCharsMax || text.Any(char.IsControl) || !SkillManifest.IsText(text)
                ? throw ApiException.Invalid(field, $"must be one line of 1 to {DisplayNameCharsMax} characters.")
            : text;
}
