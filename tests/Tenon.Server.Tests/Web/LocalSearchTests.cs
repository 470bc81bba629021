using Tenon.Server.Tests.Support;
using Tenon.Server.Web;
using Tenon.Server.Web.Reading;
using Tenon.Server.Web.Search;
using Xunit;

namespace Tenon.Server.Tests.Web;

public sealed class LocalSearchTests : SearchBackendTests, IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DocumentReader _reader = new(new WebLimits(), TimeProvider.System);

    protected override string UrlOf(string path) => $"https://docs.test/base/{path}";

    public void Dispose()
    {
        _reader.Dispose();
        _folder.Dispose();
    }

    protected override ISearchBackend Make(params (string Title, string Path, string Text)[] pages)
    {
        foreach (var (title, path, text) in pages)
        {
            Write(path, $"# {title}\n\n{text}");
        }

        return Local(new Uri("https://docs.test/base/"));
    }

    [Fact]
    public async Task The_best_passages_come_first_and_those_of_one_file_together()
    {
        Write("deep/in/one.md", $"# One\n\nHeron heron heron.\n\n{new string('x', 1_200)}\n\nA heron again.");
        Write("two.txt", "Much is said here of other birds, of fish and of frogs, and once of a heron as well.");
        Write("not.bin", "heron");

        var hits = await Find(Local(null), "HERONS");

        Assert.Equal(["local:deep/in/one.md", "local:two.txt"], hits.Select(hit => hit.Url));
        Assert.Equal(["One", "two"], hits.Select(hit => hit.Title));
        Assert.Equal(2, hits[0].Passages.Count);
    }

    [Fact]
    public async Task Html_is_read_as_a_page_is()
    {
        Write("page.html", "<title>Birds</title><script>heron</script><p>The <b>heron</b> waits.</p>");

        var hit = Assert.Single(await Find(Local(null), "heron"));

        Assert.Equal(("Birds", "The heron waits."), (hit.Title, hit.Passages.Single()));
    }

    [Fact]
    public async Task What_changes_in_the_folder_is_found_by_a_later_search()
    {
        Write("a.md", "heron");
        Write("b.md", "heron");
        var search = Local(null);
        Assert.Equal(2, (await Find(search, "heron")).Count);

        Write("a.md", "now a stork");
        File.Delete(Path.Combine(_folder.Path, "b.md"));
        Write("c.md", "another heron");
        Clock.Advance(new WebLimits().IndexAgeMax);

        Assert.Equal(["local:c.md"], (await Find(search, "heron")).Select(hit => hit.Url));
        Assert.Equal(["local:a.md"], (await Find(search, "stork")).Select(hit => hit.Url));
    }

    [Fact]
    public async Task What_lies_outside_is_not_reached_through_a_link()
    {
        using var outside = new TempFolder();
        File.WriteAllText(Path.Combine(outside.Path, "secret.md"), "heron");
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "link.md"), Path.Combine(outside.Path, "secret.md"));
        Directory.CreateSymbolicLink(Path.Combine(_folder.Path, "folder"), outside.Path);

        Assert.Empty(await Find(Local(null), "heron"));
    }

    [Fact]
    public async Task More_than_fits_is_left_out_and_the_rest_is_found()
    {
        Write("a.md", new string('x', 100) + " heron");
        Write("b.md", "heron");
        var search = Own(new LocalSearch(
            _folder.Path, null, _reader, new WebLimits { IndexCharsMax = 50, IndexFileBytesMax = 40 }, Clock));

        Assert.Equal(["local:b.md"], (await Find(search, "heron")).Select(hit => hit.Url));
    }

    [Fact]
    public async Task A_folder_that_is_gone_is_told()
    {
        var search = Own(new LocalSearch(
            Path.Combine(_folder.Path, "gone"), null, _reader, new WebLimits(), Clock));

        var fault = await Assert.ThrowsAsync<WebToolException>(() => Find(search, "heron"));
        Assert.Equal("unavailable: the folder of the local index cannot be read.", fault.Message);
    }

    private static Task<IReadOnlyList<SearchHit>> Find(ISearchBackend search, string text) =>
        search.Search(new SearchQuery(text, DomainList.All, null), Token);

    private ISearchBackend Local(Uri? url) =>
        Own(new LocalSearch(_folder.Path, url, _reader, new WebLimits(), Clock));

    private void Write(string path, string text)
    {
        var file = Path.Combine(_folder.Path, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }
}
