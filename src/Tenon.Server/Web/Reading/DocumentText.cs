using System.Text.Json.Serialization;

namespace Tenon.Server.Web.Reading;

/// <summary>What a document says.</summary>
/// <param name="Title">Null when it has none.</param>
/// <param name="IsCut">There was more.</param>
public sealed record DocumentText(string? Title, string Text, bool IsCut);

/// <summary>A document that another process is asked to read; its bytes follow.</summary>
/// <param name="Kind"><c>html</c> (in UTF-8) or <c>pdf</c>.</param>
/// <param name="Url">Where an HTML page was, for the links in it.</param>
/// <param name="Seconds">After so many the process ends itself, should nobody be there any more to end it.</param>
internal sealed record ReadRequest(string Kind, string? Url, int PagesMax, int CharsMax, int Seconds);

/// <param name="Fault">Why it could not be read; null when it was.</param>
internal sealed record ReadAnswer(DocumentText? Document, string? Fault);

[JsonSerializable(typeof(ReadRequest))]
[JsonSerializable(typeof(ReadAnswer))]
internal sealed partial class ReaderJson : JsonSerializerContext;
