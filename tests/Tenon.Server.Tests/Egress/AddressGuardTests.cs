using System.Net;
using Tenon.Server.Egress;
using Xunit;

namespace Tenon.Server.Tests.Egress;

/// <summary>The guard's decisions alone: nothing is sent to any of these addresses.</summary>
public sealed class AddressGuardTests
{
    private static readonly ResolveName Nobody = (_, _) => Task.FromResult(Array.Empty<IPAddress>());

    [Theory]
    [InlineData("93.184.215.14", true)]
    [InlineData("2606:2800:220:1::1", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.255.255.254", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.16.0.1", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.1.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("100.128.0.1", true)]
    [InlineData("198.18.0.1", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    [InlineData("::ffff:93.184.215.14", true)]
    [InlineData("64:ff9b::7f00:1", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fc00::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("ff02::1", false)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("2001:0:4136:e378::1", false)]
    [InlineData("2001:db8::1", false)]
    public void Only_public_addresses_are_reached(string address, bool allowed) =>
        Assert.Equal(allowed, new AddressGuard([], Nobody).Allows(IPAddress.Parse(address)));

    [Theory]
    [InlineData("10.1.2.3", true)]
    [InlineData("::ffff:10.1.2.3", true)]
    [InlineData("10.2.2.3", false)]
    [InlineData("fd12::1", true)]
    [InlineData("fd13::1", false)]
    public void An_operator_allows_ranges(string address, bool allowed) => Assert.Equal(
        allowed,
        new AddressGuard([IPNetwork.Parse("10.1.0.0/16"), IPNetwork.Parse("fd12::/16")], Nobody)
            .Allows(IPAddress.Parse(address)));

    [Fact]
    public async Task Of_a_name_that_leads_to_public_and_private_places_only_the_public_ones_are_dialled()
    {
        var guard = new AddressGuard([], (_, _) => Task.FromResult(
            (IPAddress[])[IPAddress.Parse("127.0.0.1"), IPAddress.Parse("93.184.215.14"), IPAddress.Parse("::1")]));

        Assert.Equal([IPAddress.Parse("93.184.215.14")], await guard.Find("mixed.example", CancellationToken.None));
    }
}
