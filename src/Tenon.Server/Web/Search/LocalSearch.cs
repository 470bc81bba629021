using System.Text;
using Tenon.Server.Web.Reading;

namespace Tenon.Server.Web.Search;

/// <summary>
/// A folder of text, Markdown and HTML files, for installations that have no way to a search service. What changes in
/// the folder is found by the next search.
/// </summary>
internal sealed class LocalSearch(
    string folder, Uri? url, DocumentReader reader, WebLimits limits, TimeProvider clock) : ISearchBackend, IDisposable
{
    /// <summary>The scheme of a file that is served nowhere; nothing can be fetched by it.</summary>
    private const string Scheme = "local:";

    private const int PassageCharsMax = 1_200;
    private const int WordsMax = 64;

    /// <summary>What links of such a file are relative to.</summary>
    private static readonly Uri Nowhere = new("http://localhost/");

    private static readonly string[] Html = [".html", ".htm"];
    private static readonly string[] Plain = [".txt", ".md", ".markdown"];

    private readonly SemaphoreSlim _one = new(1);
    private readonly LocalIndexStore _index = new();
    private readonly Dictionary<string, (DateTime At, long Size, long Chars)> _files = [];
    private DateTimeOffset _lookedAt = DateTimeOffset.MinValue;
    private long _chars;

    public string Name => SearchOptions.Local;

    public async Task<IReadOnlyList<SearchHit>> Search(SearchQuery query, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await Refresh(cancellationToken);
            var found = _index.Find(Words(query.Text), limits.ResultsMax * limits.PassagesMax * 2);
            return
            [
                .. found.GroupBy(passage => passage.File).Select(file => new SearchHit(
                    file.First().Title, Url(file.Key), [.. file.Select(passage => passage.Text)], null)),
            ];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new WebToolException(
                WebToolException.Unavailable, "the folder of the local index cannot be read.");
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose()
    {
        _index.Dispose();
        _one.Dispose();
    }

    private static IEnumerable<string> Words(string text)
    {
        var letters = string.Concat(text.Select(c => char.IsLetterOrDigit(c) || char.IsSurrogate(c) ? c : ' '));
        return letters.Split(' ', StringSplitOptions.RemoveEmptyEntries).Distinct().Take(WordsMax);
    }

    private string Url(string file)
    {
        var path = string.Join('/', file.Split('/').Select(Uri.EscapeDataString));
        return url is null ? Scheme + path : new Uri(url, path).AbsoluteUri;
    }

    private async Task Refresh(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        if (now - _lookedAt < limits.IndexAgeMax)
        {
            return;
        }

        var there = Files();
        foreach (var gone in _files.Keys.Where(file => !there.ContainsKey(file)).ToList())
        {
            _index.Remove(gone);
            _files.Remove(gone, out var info);
            _chars -= info.Chars;
        }

        foreach (var (file, info) in there.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var known = _files.GetValueOrDefault(file);
            var left = limits.IndexCharsMax - _chars + known.Chars;
            if ((known.At, known.Size) != (info.LastWriteTimeUtc, info.Length) && left > 0)
            {
                await Add(file, info, left, cancellationToken);
            }
        }

        _lookedAt = now;
    }

    private Dictionary<string, FileInfo> Files() => new DirectoryInfo(folder)
        .EnumerateFiles("*", new EnumerationOptions
        {
            RecurseSubdirectories = true, AttributesToSkip = FileAttributes.Hidden | FileAttributes.ReparsePoint,
        })
        .Where(file => Html.Contains(file.Extension) || Plain.Contains(file.Extension))
        .Take(limits.IndexFilesMax)
        .ToDictionary(file => Path.GetRelativePath(folder, file.FullName));

    private async Task Add(string file, FileInfo info, long charsMax, CancellationToken cancellationToken)
    {
        var (at, size) = (info.LastWriteTimeUtc, info.Length);
        var (title, text) = await Read(info, cancellationToken);
        var kept = TextCut.At(text, (int)Math.Min(charsMax, int.MaxValue));
        _index.Replace(file, title ?? Path.GetFileNameWithoutExtension(file), Passages(kept));
        _chars += kept.Length - _files.GetValueOrDefault(file).Chars;
        _files[file] = (at, size, kept.Length);
    }

    private async Task<(string? Title, string Text)> Read(FileInfo info, CancellationToken cancellationToken)
    {
        var bytes = new byte[Math.Min(info.Length, limits.IndexFileBytesMax)];
        await using (var content = info.OpenRead())
        {
            var count = await content.ReadAtLeastAsync(
                bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
            bytes = bytes[..count];
        }

        var isHtml = Html.Contains(info.Extension);
        var text = Charset.Decode(bytes, null, isHtml, isCut: info.Length > bytes.Length);
        if (!isHtml)
        {
            var first = text.Split('\n', 2)[0].TrimEnd();
            return (first.StartsWith("# ", StringComparison.Ordinal) ? first[2..].Trim() : null, text);
        }

        try
        {
            var page = (url ?? Nowhere).AbsoluteUri;
            var document = await reader.ReadHtml(page, text, cancellationToken);
            return (document.Title, document.Text);
        }
        catch (WebToolException)
        {
            // One file that cannot be read is not found; the others are.
            return (null, "");
        }
    }

    private static List<string> Passages(string text)
    {
        var passages = new List<string>();
        var passage = new StringBuilder();
        foreach (var paragraph in text.Split("\n\n").SelectMany(Pieces))
        {
            if (passage.Length > 0 && passage.Length + paragraph.Length > PassageCharsMax)
            {
                passages.Add(passage.ToString());
                passage.Clear();
            }

            passage.Append(passage.Length > 0 ? "\n\n" : "").Append(paragraph);
        }

        if (passage.Length > 0)
        {
            passages.Add(passage.ToString());
        }

        return passages;
    }

    private static IEnumerable<string> Pieces(string paragraph)
    {
        var text = paragraph.Trim();
        for (var at = 0; at < text.Length; at += PassageCharsMax)
        {
            yield return text[at..Math.Min(text.Length, at + PassageCharsMax)];
        }
    }
}
