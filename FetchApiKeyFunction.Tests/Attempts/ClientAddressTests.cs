// Whose attempts count together.

using System.Net;
using FetchApiKey.Attempts;
using Microsoft.AspNetCore.Http;

namespace FetchApiKeyFunction.Tests.Attempts;

public sealed class ClientAddressTests
{
    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7", false)]
    [InlineData("203.0.113.7:51234", "203.0.113.7", false)]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7", false)]
    [InlineData("1.2.3.4, 203.0.113.7", "203.0.113.7", false)]
    [InlineData("2001:db8:1:2:3:4:5:6", "20010db800010002/64", false)]
    [InlineData("[2001:db8:1:2::1]:443", "20010db800010002/64", false)]
    [InlineData("10.1.2.3", "10.1.2.3", true)]
    [InlineData("172.31.0.1", "172.31.0.1", true)]
    [InlineData("172.32.0.1", "172.32.0.1", false)]
    [InlineData("100.64.0.1", "100.64.0.1", true)]
    [InlineData("127.0.0.1", "127.0.0.1", true)]
    [InlineData("::1", "0000000000000000/64", true)]
    [InlineData("fd00::1", "fd00000000000000/64", true)]
    [InlineData("", "unknown", true)]
    [InlineData("unknown", "unknown", true)]
    [InlineData("1", "unknown", true)]
    [InlineData("203.0.113", "unknown", true)]
    [InlineData("203.0.113.7, evil", "unknown", true)]
    public void The_right_most_trusted_entry_is_the_address(string header, string bucket, bool isShared)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers["X-Forwarded-For"] = header;
        context.Connection.RemoteIpAddress = IPAddress.Parse("198.51.100.1");

        var address = ClientAddress.Of(context, ClientAddressSettings.BehindFunctionsHost);
        Assert.Equal((bucket, isShared), (address.Bucket, address.IsShared));
        var direct = ClientAddress.Of(context, ClientAddressSettings.Direct);
        Assert.Equal(("198.51.100.1", false), (direct.Bucket, direct.IsShared));
    }

    [Fact]
    public void With_two_trusted_hops_the_last_but_one_entry_is_the_address_and_a_shorter_list_has_none()
    {
        var settings = new ClientAddressSettings("X-Real-Chain", 2);
        var context = new DefaultHttpContext();
        context.Request.Headers["X-Real-Chain"] = "6.6.6.6, 203.0.113.7, 198.51.100.1";
        Assert.Equal("203.0.113.7", ClientAddress.Of(context, settings).Bucket);

        context.Request.Headers["X-Real-Chain"] = "203.0.113.7";
        Assert.Equal("unknown", ClientAddress.Of(context, settings).Bucket);
    }

    [Theory]
    [InlineData("203.0.113.7", "cb0071/24")]
    [InlineData("203.0.113.250", "cb0071/24")]
    [InlineData("203.0.114.7", "cb0072/24")]
    [InlineData("2001:db8:1:2::1", "20010db80001/48")]
    [InlineData("2001:db8:1:ffff::1", "20010db80001/48")]
    [InlineData("2001:db8:2:2::1", "20010db80002/48")]
    public void A_network_is_what_one_party_commonly_has(string address, string network) =>
        Assert.Equal(network, ClientAddress.Of(IPAddress.Parse(address)).Network);
}
