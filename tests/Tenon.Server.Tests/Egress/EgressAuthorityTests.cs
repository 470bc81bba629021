using Microsoft.Extensions.Time.Testing;
using System.Security.Cryptography.X509Certificates;
using Tenon.Server.Egress;
using Tenon.Server.Tests.Support;
using Xunit;

namespace Tenon.Server.Tests.Egress;

public sealed class EgressAuthorityTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly FakeTimeProvider _clock = new(TimeProvider.System.GetUtcNow());

    private string AuthorityPath => Path.Combine(_folder.Path, EgressAuthority.FileName);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_is_made_at_the_first_need_for_its_owner_alone_and_is_the_same_after_a_restart()
    {
        var first = EgressAuthority.Open(_folder.Path, _clock);
        Assert.False(File.Exists(AuthorityPath));

        var (pem, key) = (first.CertificatePem, first.PlaceholderKey);

        var second = EgressAuthority.Open(_folder.Path, _clock);
        Assert.Equal(pem, second.CertificatePem);
        Assert.Equal(key, second.PlaceholderKey);
        Assert.DoesNotContain("PRIVATE", pem, StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(_folder.Path), path => Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path)));
    }

    [Theory]
    [InlineData(EgressAuthority.FileName)]
    [InlineData(EgressAuthority.PlaceholderKeyName)]
    public void A_key_that_others_may_read_is_refused_and_so_is_one_that_is_none(string name)
    {
        var authority = EgressAuthority.Open(_folder.Path, _clock);
        _ = (authority.CertificatePem, authority.PlaceholderKey);
        var path = Path.Combine(_folder.Path, name);

        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var open = Assert.Throws<IOException>(() => EgressAuthority.Open(_folder.Path, _clock));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(path, "no key");
        var damaged = Assert.Throws<IOException>(() => EgressAuthority.Open(_folder.Path, _clock));

        Assert.Contains($"chmod 600 {path}", open.Message, StringComparison.Ordinal);
        Assert.Contains("is not a key", damaged.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("api.example.com")]
    [InlineData("a-name-of-more-than-sixty-four-letters.a-name-of-more-than-sixty-four-letters.example")]
    public void It_vouches_for_a_host_for_some_days(string host)
    {
        var authority = EgressAuthority.Open(_folder.Path, _clock);

        var leaf = authority.For(host).TargetCertificate;

        Assert.True(leaf.MatchesHostname(host));
        Assert.False(leaf.MatchesHostname("other.example"));
        Assert.True(IsVouchedFor(authority, leaf));
        Assert.InRange(
            leaf.NotAfter.ToUniversalTime() - _clock.GetUtcNow(), TimeSpan.FromDays(6), TimeSpan.FromDays(8));
        Assert.Same(leaf, authority.For(host).TargetCertificate);
        _clock.Advance(TimeSpan.FromDays(6.5));
        Assert.NotSame(leaf, authority.For(host).TargetCertificate);
    }

    [Fact]
    public void It_keeps_no_more_certificates_than_its_limit()
    {
        var authority = EgressAuthority.Open(_folder.Path, _clock);
        var first = authority.For("first.example");
        _clock.Advance(TimeSpan.FromMinutes(1));

        for (var i = 0; i < EgressAuthority.LeavesMax; i++)
        {
            authority.For($"host-{i}.example");
        }

        Assert.NotSame(first, authority.For("first.example"));
    }

    [Fact]
    public void One_that_ends_soon_is_replaced_at_the_next_start()
    {
        var before = EgressAuthority.Open(_folder.Path, _clock).CertificatePem;

        _clock.Advance(TimeSpan.FromDays(3600));

        Assert.NotEqual(before, EgressAuthority.Open(_folder.Path, _clock).CertificatePem);
    }

    private static bool IsVouchedFor(EgressAuthority authority, X509Certificate2 leaf)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(X509Certificate2.CreateFromPem(authority.CertificatePem));
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(leaf);
    }
}
