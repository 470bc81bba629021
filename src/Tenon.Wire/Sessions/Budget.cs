namespace Tenon.Wire.Sessions;

/// <summary>What a session may cost at list price before it pauses (api B.3).</summary>
public sealed record Budget
{
    /// <summary>Always <c>limit</c>.</summary>
    public required string Type { get; init; }

    public required Money MaxListCost { get; init; }
}
