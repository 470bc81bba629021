using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Tenon.Wire;

/// <summary>The prefixes of the wire's ids (api 0.8).</summary>
public static class IdPrefix
{
    public const string Agent = "agent_";
    public const string Environment = "env_";
    public const string Session = "sesn_";
    public const string Event = "sevt_";
    public const string Thread = "sthr_";
    public const string WorkflowRun = "wfrun_";
    public const string WorkflowRunPhase = "wfphase_";
    public const string Outcome = "outc_";
    public const string File = "file_";
    public const string Skill = "skill_";
    public const string SkillVersion = "skver_";
    public const string Resource = "sesrsc_";
    public const string Vault = "vlt_";
    public const string Credential = "vcrd_";
    public const string MemoryStore = "memstore_";
    public const string Memory = "mem_";
    public const string MemoryVersion = "memver_";
    public const string ApiKey = "apikey_";
    public const string Request = "req_";
    public const string EgressRequest = "egrs_";
}

/// <summary>Makes ids that sort by the time they were made: a prefix, then 22 letters and digits of 128 bits.</summary>
/// <remarks>
/// 48 bits of Unix milliseconds, a 16-bit counter within the millisecond, 64 random bits; base 58 in ASCII order.
/// </remarks>
public sealed class IdSource(TimeProvider clock)
{
    private const string Alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    private const int Length = 22;

    private readonly Lock _lock = new();
    private long _lastMs;
    private ushort _counter;

    public string Next(string prefix)
    {
        var (ms, counter) = Tick();
        Span<byte> random = stackalloc byte[8];
        RandomNumberGenerator.Fill(random);
        return Text(prefix, ((UInt128)(ulong)ms << 80) | ((UInt128)counter << 64) | BitConverter.ToUInt64(random));
    }

    /// <summary>The id that a hash stands for: always the same, and in no order.</summary>
    /// <param name="hash">At least 16 bytes, of a hash that nobody can steer.</param>
    public static string Of(string prefix, ReadOnlySpan<byte> hash) =>
        Text(prefix, BinaryPrimitives.ReadUInt128BigEndian(hash));

    private static string Text(string prefix, UInt128 value) =>
        string.Create(prefix.Length + Length, (prefix, value), static (span, state) =>
        {
            state.prefix.CopyTo(span);
            var rest = state.value;
            for (var i = span.Length - 1; i >= state.prefix.Length; i--)
            {
                span[i] = Alphabet[(int)(rest % 58)];
                rest /= 58;
            }
        });

    private (long Ms, ushort Counter) Tick()
    {
        lock (_lock)
        {
            // A clock set back, or 65 536 ids in one millisecond, must not break the order: time then stands or runs
            // ahead.
            var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
            if (now > _lastMs)
            {
                (_lastMs, _counter) = (now, 0);
            }
            else if (++_counter == 0)
            {
                _lastMs++;
            }

            return (_lastMs, _counter);
        }
    }
}
