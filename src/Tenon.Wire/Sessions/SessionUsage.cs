namespace Tenon.Wire.Sessions;

/// <summary>What a session or a thread has used so far (api B.3, H).</summary>
public sealed record SessionUsage
{
    public long InputTokens { get; init; }

    public long OutputTokens { get; init; }

    public long CacheReadInputTokens { get; init; }

    // NOTE: The generated reader sets every init-only member, with null for those left out, over the default.
    public CacheCreation CacheCreation { get; init => field = value ?? new(); } = new();

    /// <summary>Seconds with at least one thread running, to the millisecond: what running time is billed by.</summary>
    public decimal ActiveSeconds { get; init; }

    /// <summary>Cost at list price, rounded to the cent.</summary>
    public Money ListCost { get; init => field = value ?? Money.Usd("0"); } = Money.Usd("0");

    public ServerToolUse ServerToolUse { get; init => field = value ?? new(); } = new();
}

public sealed record CacheCreation
{
    [System.Text.Json.Serialization.JsonPropertyName("ephemeral_5m_input_tokens")]
    public long Ephemeral5mInputTokens { get; init; }

    [System.Text.Json.Serialization.JsonPropertyName("ephemeral_1h_input_tokens")]
    public long Ephemeral1hInputTokens { get; init; }
}

/// <summary>An amount in the currency's smallest unit, as a string of digits.</summary>
public sealed record Money
{
    public required string Amount { get; init; }

    public required string Currency { get; init; }

    /// <summary>US dollars, in cents.</summary>
    public static Money Usd(string cents) => new() { Amount = cents, Currency = "USD" };
}

public sealed record ServerToolUse
{
    public long WebSearchRequests { get; init; }

    public long WebFetchRequests { get; init; }
}
