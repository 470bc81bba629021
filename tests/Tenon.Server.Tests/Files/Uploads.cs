using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Files;

/// <summary>How tests upload, download and list files.</summary>
public static class Uploads
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>A new file's id.</summary>
    public static async Task<string> NewFile(
        this TestServer server, string text = "a,b\n1,2\n", string name = "data.csv", string? type = "text/csv") =>
        (await server.Upload(Form(Encoding.UTF8.GetBytes(text), name, type))).Ok().Text("id");

    public static async Task<string> NewFile(this TestServer server, byte[] content, string name, string type) =>
        (await server.Upload(Form(content, name, type))).Ok().Text("id");

    public static async Task<Answer> Upload(this TestServer server, HttpContent form)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/files") { Content = form };
        using var response = await server.Client.SendAsync(request, Cancelled);
        return await Answer.Read(response, Cancelled);
    }

    /// <param name="name">Goes into the header as it stands; null leaves it out.</param>
    public static MultipartFormDataContent Form(
        byte[] content, string? name, string? type = null, string? expires = null)
    {
        var form = new MultipartFormDataContent { HeaderEncodingSelector = (_, _) => Encoding.UTF8 };
        if (expires is not null)
        {
            form.Add(Part(Encoding.UTF8.GetBytes(expires), "form-data; name=\"expires_in_seconds\"", null));
        }

        var disposition = "form-data; name=\"file\"" + (name is null ? "" : $"; filename=\"{name}\"");
        form.Add(Part(content, disposition, type));
        return form;
    }

    public static async Task<(HttpStatusCode Status, byte[] Bytes, HttpContentHeaders Headers)> Download(
        this TestServer server, string id)
    {
        using var response = await server.Client.GetAsync($"/v1/files/{id}/content", Cancelled);
        return (response.StatusCode, await response.Content.ReadAsByteArrayAsync(Cancelled), response.Content.Headers);
    }

    private static ByteArrayContent Part(byte[] content, string disposition, string? type)
    {
        var part = new ByteArrayContent(content);
        part.Headers.TryAddWithoutValidation("Content-Disposition", disposition);
        if (type is not null)
        {
            part.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        return part;
    }
}
