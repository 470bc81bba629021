using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Skills;

/// <summary>How tests upload skills, and take them apart again.</summary>
internal static class SkillUploads
{
    public const string Description = "Writes release notes. Use it when a version is released.";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static string Manifest(string name = "release-notes", string description = Description) =>
        $"---\nname: {name}\ndescription: {description}\n---\n\n# How\n\nRun scripts/run.sh.\n";

    /// <summary>A skill with a manifest and a program.</summary>
    public static (string Path, byte[] Content)[] Files(string name = "release-notes", string says = "hello") =>
    [
        ($"{name}/SKILL.md", Encoding.UTF8.GetBytes(Manifest(name))),
        ($"{name}/scripts/run.sh", Encoding.UTF8.GetBytes($"#!/bin/sh\necho {says}\n")),
    ];

    public static async Task<JsonElement> NewSkill(
        this TestServer server, string name = "release-notes", string says = "hello") =>
        (await server.Upload("/v1/skills", Files(name, says))).Ok();

    public static Task<Answer> Upload(
        this TestServer server, string path, params (string Path, byte[] Content)[] files) =>
        server.Send(path, Form(files));

    public static Task<Answer> UploadZip(this TestServer server, byte[] zip, string path = "/v1/skills") =>
        server.Upload(path, ("skill.zip", zip));

    public static async Task<Answer> Send(this TestServer server, string path, HttpContent content)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
        using var response = await server.Client.SendAsync(request, Cancelled);
        return await Answer.Read(response, Cancelled);
    }

    /// <param name="fields">Fields beside the files.</param>
    public static MultipartFormDataContent Form(
        (string Path, byte[] Content)[] files, params (string Name, string Value)[] fields)
    {
        var form = new MultipartFormDataContent();
        foreach (var (path, content) in files)
        {
            var part = new ByteArrayContent(content);
            part.Headers.TryAddWithoutValidation(
                "Content-Disposition", $"form-data; name=\"files[]\"; filename=\"{path}\"");
            form.Add(part);
        }

        foreach (var (name, value) in fields)
        {
            form.Add(new StringContent(value, Encoding.UTF8), name);
        }

        return form;
    }

    public static async Task<(byte[] Bytes, HttpContentHeaders Headers)> DownloadSkill(
        this TestServer server, string id, string version)
    {
        using var response = await server.Client.GetAsync($"/v1/skills/{id}/versions/{version}/content", Cancelled);
        Assert.True(response.IsSuccessStatusCode, $"{response.StatusCode}");
        return (await response.Content.ReadAsByteArrayAsync(Cancelled), response.Content.Headers);
    }

    public static byte[] Zip(params (string Path, string Content)[] entries) => Zip(
        entries.Select(entry => (entry.Path, Encoding.UTF8.GetBytes(entry.Content), 0)).ToArray());

    /// <param name="entries">Each with Unix's mode, or 0 for none.</param>
    public static byte[] Zip((string Path, byte[] Content, int Mode)[] entries)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (path, content, mode) in entries)
            {
                var entry = zip.CreateEntry(path, CompressionLevel.SmallestSize);
                entry.ExternalAttributes = mode << 16;
                using var stream = entry.Open();
                stream.Write(content);
            }
        }

        return bytes.ToArray();
    }

    /// <summary>The entries of a zip: path, text, and whether it may be run.</summary>
    public static IReadOnlyList<(string Path, string Text, bool IsProgram)> Entries(byte[] zip)
    {
        using var archive = new ZipArchive(new MemoryStream(zip), ZipArchiveMode.Read);
        return [.. archive.Entries.Select(entry =>
        {
            using var reader = new StreamReader(entry.Open());
            return (entry.FullName, reader.ReadToEnd(), (entry.ExternalAttributes >> 16 & 0x49) == 0x49);
        })];
    }
}
