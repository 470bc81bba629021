using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Memory;

/// <summary>What tests do with memory stores.</summary>
internal static class Memories
{
    public static async Task<string> NewStore(this TestServer server, string name = "notes", string fields = "") =>
        (await server.Post("/v1/memory_stores", $$"""{"name":"{{name}}"{{fields}}}""")).Ok().Text("id");

    /// <summary>The new memory's id.</summary>
    public static async Task<string> NewMemory(
        this TestServer server, string store, string path, string content = "text") =>
        (await server.Remember(store, path, content)).Ok().Text("id");

    public static Task<Answer> Remember(this TestServer server, string store, string path, string content) =>
        server.Post($"/v1/memory_stores/{store}/memories", new { path, content });

    public static Task<Answer> Rewrite(this TestServer server, string store, string memory, object body) =>
        server.Post($"/v1/memory_stores/{store}/memories/{memory}", body);

    public static async Task<JsonElement> Memory(this TestServer server, string store, string memory) =>
        (await server.Get($"/v1/memory_stores/{store}/memories/{memory}")).Ok();

    /// <summary>The texts of a store by their paths.</summary>
    public static async Task<Dictionary<string, string>> Texts(this TestServer server, string store)
    {
        var texts = new Dictionary<string, string>();
        var page = "";
        do
        {
            var answer = (await server.Get($"/v1/memory_stores/{store}/memories?view=full{page}")).Ok();
            foreach (var memory in answer.At("data").EnumerateArray())
            {
                texts.Add(memory.Text("path"), memory.Text("content"));
            }

            page = answer.Text("next_page") is { } next ? $"&page={next}" : "";
        }
        while (page.Length > 0);
        return texts;
    }

    /// <summary>Of a store, newest first.</summary>
    public static async Task<IReadOnlyList<JsonElement>> Versions(
        this TestServer server, string store, string query = "") =>
        [.. (await server.Get($"/v1/memory_stores/{store}/memory_versions?limit=100{query}")).Ok().At("data")
            .EnumerateArray()];

    public static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>A refusal with a type of its own, which clients must not repeat.</summary>
    public static void Conflicts(this Answer answer, string type)
    {
        Assert.Equal((409, type), (answer.Status, answer.Json.Text("error.type")));
        Assert.Equal("false", answer.Headers.GetValues("x-should-retry").Single());
    }
}
