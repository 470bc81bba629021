using Anthropic.Exceptions;
using Anthropic.Models.Beta.Vaults;
using Anthropic.Models.Beta.Vaults.Credentials;
using Anthropic.Services.Beta;
using Tenon.Conformance.Support;

namespace Tenon.Conformance.CSharp;

/// <summary>Every operation of vaults and their credentials, of all three kinds, through the SDK.</summary>
public sealed class VaultTests(Lab lab)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_SDK_reaches_every_operation_of_vaults()
    {
        using var recorder = new RequestCounter();
        using var client = lab.Server.Client();
        var vaults = client.WithOptions(options => options with { HttpClient = recorder.Http }).Beta.Vaults;

        var vault = await vaults.Create(new VaultCreateParams { DisplayName = "Alice" }, Cancellation);
        await vaults.Update(vault.ID, new VaultUpdateParams { DisplayName = "Bob" }, Cancellation);
        Assert.Equal("Bob", (await vaults.Retrieve(vault.ID, cancellationToken: Cancellation)).DisplayName);
        await vaults.List(new VaultListParams { Limit = 1 }, Cancellation);
        await UseCredentials(vaults, vault.ID);
        Assert.NotNull((await vaults.Archive(vault.ID, cancellationToken: Cancellation)).ArchivedAt);
        await vaults.Delete(vault.ID, cancellationToken: Cancellation);

        Assert.Equal(Operations.Of("vaults"), Operations.Used(recorder.Sent));
    }

    private static async Task UseCredentials(IVaultService vaults, string vaultId)
    {
        var credentials = vaults.Credentials;
        var oauth = await credentials.Create(vaultId, new CredentialCreateParams { Auth = OAuth() }, Cancellation);
        var bearer = await credentials.Create(
            vaultId, new CredentialCreateParams { Auth = Bearer("https://mcp.example.com/mcp") }, Cancellation);
        var variable = await credentials.Create(
            vaultId, new CredentialCreateParams { Auth = Variable() }, Cancellation);
        Assert.True(variable.Auth.TryPickBetaManagedAgentsEnvironmentVariableAuthResponse(out var shown));
        Assert.Equal((true, false), (shown.InjectionLocation.Header, shown.InjectionLocation.Body));
        await Assert.ThrowsAsync<AnthropicConflictException>(() => credentials.Create(
            vaultId, new CredentialCreateParams { Auth = Bearer("HTTPS://mcp.example.com:443/mcp/") }, Cancellation));

        await credentials.Update(
            oauth.ID,
            new CredentialUpdateParams
            {
                VaultID = vaultId,
                Auth = new BetaManagedAgentsMcpOAuthUpdateParams
                {
                    AccessToken = "access-2",
                    Refresh = new() { RefreshToken = "refresh-2" },
                },
            },
            Cancellation);
        await credentials.Retrieve(oauth.ID, new CredentialRetrieveParams { VaultID = vaultId }, Cancellation);
        var listed = await credentials.List(vaultId, cancellationToken: Cancellation);
        Assert.Equal([variable.ID, bearer.ID, oauth.ID], listed.Items.Select(credential => credential.ID));
        var validation = await credentials.McpOAuthValidate(
            oauth.ID, new CredentialMcpOAuthValidateParams { VaultID = vaultId }, Cancellation);
        Assert.Equal("unknown", validation.Status.Raw());
        await credentials.Archive(bearer.ID, new CredentialArchiveParams { VaultID = vaultId }, Cancellation);
        await credentials.Delete(variable.ID, new CredentialDeleteParams { VaultID = vaultId }, Cancellation);
    }

    // Nobody listens on port 1.
    private static BetaManagedAgentsMcpOAuthCreateParams OAuth() => new()
    {
        McpServerUrl = "http://127.0.0.1:1/mcp",
        AccessToken = "access-1",
        Refresh = new()
        {
            TokenEndpoint = "https://auth.example.com/token",
            ClientID = "c",
            RefreshToken = "refresh-1",
            TokenEndpointAuth = new BetaManagedAgentsTokenEndpointAuthBasicParam
            {
                ClientSecret = "secret-1",
            },
        },
    };

    private static BetaManagedAgentsStaticBearerCreateParams Bearer(string url) => new()
    {
        McpServerUrl = url, Token = "token-1",
    };

    private static BetaManagedAgentsEnvironmentVariableCreateParams Variable() => new()
    {
        SecretName = "NOTES_KEY",
        SecretValue = "secret-value-1",
        Networking = new BetaManagedAgentsLimitedCredentialNetworkingParams
        {
            AllowedHosts = ["api.example.com"],
        },
        InjectionLocation = new() { Header = true },
    };
}
