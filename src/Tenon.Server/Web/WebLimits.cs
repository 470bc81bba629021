namespace Tenon.Server.Web;

/// <summary>Every bound of the web tools, with its reason.</summary>
public sealed record WebLimits
{
    /// <summary>Characters of a URL. Servers take about so many; more is data that is carried out, not an address.
    /// </summary>
    public int UrlCharsMax { get; init; } = 2_048;

    /// <summary>For all of a fetch: waiting for a place, every redirect, the body, and reading it.</summary>
    public TimeSpan FetchTimeMax { get; init; } = TimeSpan.FromSeconds(45);

    /// <summary>For one address to take a connection, so that a name with several has time for the next.</summary>
    public TimeSpan ConnectTimeMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Real pages need one or two.</summary>
    public int RedirectsMax { get; init; } = 5;

    /// <summary>
    /// Bytes of a page as it is after decompression; what is beyond is not read. The longest pages that people write
    /// have about half of it, and their text is far longer than a model is given.
    /// </summary>
    public int PageBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Bytes of a PDF. A part of one cannot be read, so a larger one is refused.</summary>
    public int PdfBytesMax { get; init; } = 10 * 1024 * 1024;

    /// <summary>Pages of a PDF that are read: more text than these have is not given to a model.</summary>
    public int PdfPagesMax { get; init; } = 500;

    /// <summary>Characters of a document's text: ten times what a model sees of one result.</summary>
    public int TextCharsMax { get; init; } = 1_000_000;

    /// <summary>
    /// Fetches at once in this process. Each may hold the bytes of a PDF: half a gigabyte when all of them do.
    /// </summary>
    public int FetchesMax { get; init; } = 32;

    /// <summary>For one document to be read. A page takes milliseconds, a book some seconds.</summary>
    public TimeSpan ReadTimeMax { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Programs that read documents at once: each may use a core and its whole heap.</summary>
    public int ReadersMax { get; init; } = 2;

    /// <summary>Bytes of the heap of a program that reads; a document that needs more is refused.</summary>
    public long ReaderHeapBytesMax { get; init; } = 384 * 1024 * 1024;

    /// <summary>A program that reads is ended when it has had nothing to do for so long.</summary>
    public TimeSpan ReaderIdleMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Characters of a search's query: what the strictest of the services takes.</summary>
    public int QueryCharsMax { get; init; } = 400;

    /// <summary>Results of a search that the model gets.</summary>
    public int ResultsMax { get; init; } = 10;

    /// <summary>Characters of one passage of a result: a paragraph or two.</summary>
    public int PassageCharsMax { get; init; } = 2_000;

    /// <summary>Passages of one result.</summary>
    public int PassagesMax { get; init; } = 3;

    /// <summary>For a search service to answer.</summary>
    public TimeSpan SearchTimeMax { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Bytes of a search service's answer.</summary>
    public int SearchBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Files of the local index: it is made in memory, and looked through for changes.</summary>
    public int IndexFilesMax { get; init; } = 20_000;

    /// <summary>Bytes of one file of the local index; what is beyond is not found.</summary>
    public int IndexFileBytesMax { get; init; } = 1024 * 1024;

    /// <summary>Characters of text in the local index, which takes about two bytes of memory for each.</summary>
    public long IndexCharsMax { get; init; } = 128L * 1024 * 1024;

    /// <summary>Changes of the local index's folder are looked for no more often than this.</summary>
    public TimeSpan IndexAgeMax { get; init; } = TimeSpan.FromSeconds(5);
}
