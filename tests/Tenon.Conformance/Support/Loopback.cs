using System.Net;
using System.Runtime.CompilerServices;

namespace Tenon.Conformance.Support;

/// <summary>These tests talk to loopback only, whatever proxy the machine uses for the world.</summary>
public static class Loopback
{
    public const string Hosts = "127.0.0.1,localhost";

    [ModuleInitializer]
    internal static void UseNoProxy() => HttpClient.DefaultProxy = new WebProxy();
}
