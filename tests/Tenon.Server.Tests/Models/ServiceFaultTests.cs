using Tenon.Server.Models;
using Xunit;

namespace Tenon.Server.Tests.Models;

public sealed class ServiceFaultTests
{
    private static readonly ServiceIdentity Service = new("The model service", "t0psecret", TimeProvider.System);

    [Theory]
    [InlineData("""{"error":{"type":"t","message":"m"}}""", "t", "m")]
    [InlineData("""{"error":{"type":"t","code":"c","message":"m"}}""", "c", "m")]
    [InlineData("""{"error":{"type":"t","code":429,"message":"m"}}""", "t", "m")]
    [InlineData("""{"type":"t","message":"m"}""", "t", "m")]
    [InlineData("""{"error":"m"}""", null, "m")]
    [InlineData("""["m"]""", null, null)]
    [InlineData("<html>502 Bad Gateway</html>", null, null)]
    [InlineData("", null, null)]
    [InlineData(null, null, null)]
    public void What_a_service_says_is_read_from_any_body(string? body, string? type, string? message)
    {
        Assert.Equal(new ServiceError(502, type, message), ServiceError.Parse(502, body));
    }

    [Theory]
    [InlineData("key t0psecret is wrong", "key [key] is wrong")]
    [InlineData("sk-ant-api03-AbC_d*** is wrong", "[key] is wrong")]
    [InlineData("Authorization: Bearer abc.def is wrong", "Authorization: [key] is wrong")]
    [InlineData("max_tokens: 64000 > 32000", "max_tokens: 64000 > 32000")]
    public void A_secret_in_a_message_is_cut_out(string said, string shown)
    {
        var fault = ServiceFault.Of(new ServiceError(400, null, said), null, Service).Fault!;

        Assert.Equal($"The model service answered 400: {shown}", fault.Message);
    }

    [Fact]
    public void A_message_that_echoes_the_request_is_shortened()
    {
        var fault = ServiceFault.Of(new ServiceError(400, null, new string('x', 100_000)), null, Service).Fault!;

        Assert.InRange(fault.Message.Length, 900, 1_100);
    }
}
