using Tenon.Server.Http;
using Tenon.Server.Memory;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>Which memory stores a session may have, and where they are in its sandbox (api B.3, F.1).</summary>
public static class MemoryResourceRules
{
    /// <summary>How a resource of this kind is typed.</summary>
    public const string Kind = "memory_store";

    public const string ReadWrite = "read_write";
    public const string ReadOnly = "read_only";

    private const string Folder = "/mnt/memory/";
    private const int StoresMax = 8;
    private const int InstructionsMax = 4_096;

    /// <summary>What the kernel allows for a name.</summary>
    private const int NameMax = 255;

    /// <summary>The stores that are asked for, as the session keeps them; nothing is written yet.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static async Task<IReadOnlyList<MemoryResource>> Check(
        IReadOnlyList<ResourceCreate> resources, MemoryStore stores, CancellationToken cancellationToken)
    {
        var asked = resources.Index().Where(resource => resource.Item.Type == Kind).ToList();
        if (asked.Count > StoresMax)
        {
            throw ApiException.Invalid(
                $"resources.{asked[StoresMax].Index}", $"a session has at most {StoresMax} memory stores.");
        }

        var found = asked.Count == 0 ? [] : (await stores.Find(
            [.. asked.Select(resource => resource.Item.MemoryStoreId ?? "")], cancellationToken))
            .ToDictionary(store => store.Id);
        var memories = new List<MemoryResource>();
        foreach (var (i, resource) in asked)
        {
            var id = resource.MemoryStoreId ?? throw ApiException.Invalid(PathOf("memory_store_id"), "field required");
            var store = found.GetValueOrDefault(id)
                ?? throw ApiException.Invalid(PathOf("memory_store_id"), $"memory store '{id}' was not found.");
            if (store.ArchivedAt is not null)
            {
                throw ApiException.Invalid(PathOf("memory_store_id"), $"memory store '{id}' is archived.");
            }

            if (memories.Exists(memory => memory.MemoryStoreId == id))
            {
                throw ApiException.Invalid(PathOf("memory_store_id"), $"memory store '{id}' is in the list twice.");
            }

            memories.Add(new MemoryResource
            {
                MemoryStoreId = id,
                Access = Access(PathOf("access"), resource.Access),
                Instructions = Instructions(PathOf("instructions"), resource.Instructions),
                Name = store.Name,
                Description = store.Description,
                MountPath = Folder + FreeName(Slug(store.Name), memories),
            });

            string PathOf(string field) => $"resources.{i}.{field}";
        }

        return memories;
    }

    /// <summary>
    /// The name in small letters, with one hyphen for every run of characters other than ASCII letters and digits.
    /// </summary>
    internal static string Slug(string name)
    {
        var slug = new System.Text.StringBuilder();
        foreach (var character in name)
        {
            if (char.IsAsciiLetterOrDigit(character))
            {
                slug.Append(char.ToLowerInvariant(character));
            }
            else if (slug.Length == 0 || slug[^1] != '-')
            {
                slug.Append('-');
            }
        }

        return slug.ToString();
    }

    // The second of two stores with one name gets the suffix -2, the third -3.
    private static string FreeName(string slug, List<MemoryResource> taken)
    {
        for (var (name, number) = (slug, 2); ; number++)
        {
            if (!taken.Exists(memory => memory.MountPath == Folder + name))
            {
                return name;
            }

            var suffix = $"-{number}";
            name = slug[..Math.Min(slug.Length, NameMax - suffix.Length)] + suffix;
        }
    }

    private static string Access(string path, string? access) => access switch
    {
        null or ReadWrite => ReadWrite,
        ReadOnly => ReadOnly,
        _ => throw ApiException.Invalid(path, $"'{access}' is neither read_write nor read_only."),
    };

    private static string? Instructions(string path, string? instructions) =>
        instructions is { Length: > InstructionsMax }
            ? throw ApiException.Invalid(path, $"must have at most {InstructionsMax} characters.") : instructions;
}
