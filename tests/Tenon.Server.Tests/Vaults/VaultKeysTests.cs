using System.Security.Cryptography;
using Microsoft.Extensions.DependencyInjection;
using Tenon.Server.Tests.Support;
using Tenon.Server.Vaults;
using Xunit;

namespace Tenon.Server.Tests.Vaults;

public sealed class VaultKeysTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void What_is_sealed_opens_at_its_place_alone_and_only_as_it_was()
    {
        var keys = VaultKeys.FromText(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), "test");

        var one = keys.Seal("vcrd_1", "secret"u8);
        var two = keys.Seal("vcrd_1", "secret"u8);

        Assert.Equal("secret"u8.ToArray(), keys.Open("vcrd_1", one));
        Assert.NotEqual(one.Content, two.Content);
        Assert.ThrowsAny<CryptographicException>(() => keys.Open("vcrd_2", one));
        two.Content[^1] ^= 1;
        Assert.ThrowsAny<CryptographicException>(() => keys.Open("vcrd_1", two));
    }

    [Theory]
    [InlineData("")]
    [InlineData("short")]
    [InlineData("!!!!")]
    public void What_is_no_key_is_refused(string text) =>
        Assert.Throws<IOException>(() => VaultKeys.FromText(text, "TENON_VAULT_KEY"));

    [Fact]
    public async Task A_new_key_seals_everything_at_the_next_start_and_the_old_one_can_go()
    {
        await using var server = await TestServer.Start();
        var path = Path.Combine(server.DataDirectory, "vault.key");
        var vault = await server.NewVault();
        var id = await server.NewCredential(vault, VaultLab.Bearer("https://mcp.test", "token-1"));
        var old = server.Services.GetRequiredService<VaultKeys>().CurrentId;

        VaultKeys.AddToFile(path);
        await server.Restart();
        var needed = await Store(server).KeyIds(Cancelled);
        File.WriteAllLines(path, File.ReadAllLines(path)[..1]);
        await server.Restart();

        Assert.NotEqual(old, needed.Single());
        var stored = (await Store(server).Find(vault, id, Cancelled))!;
        Assert.Equal("token-1", Store(server).Open(stored).Token);
    }

    [Fact]
    public async Task A_server_without_the_key_of_its_secrets_does_not_start()
    {
        await using var server = await TestServer.Start();
        await server.NewCredential(await server.NewVault(), VaultLab.Bearer("https://mcp.test", "token-1"));
        var path = Path.Combine(server.DataDirectory, "vault.key");
        var kept = await File.ReadAllBytesAsync(path, Cancelled);
        await server.Stop();

        File.Delete(path);
        var refused = await Assert.ThrowsAsync<IOException>(server.Restart);
        await server.Stop();
        await File.WriteAllBytesAsync(path, kept, Cancelled);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead);
        var open = await Assert.ThrowsAsync<IOException>(server.Restart);

        Assert.Contains("sealed with the vault key", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"chmod 600 {path}", open.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(path + ".new"));
    }

    private static CredentialStore Store(TestServer server) => server.Services.GetRequiredService<CredentialStore>();
}
