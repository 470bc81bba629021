using System.IO.Hashing;
using System.Text;
using Tenon.Server.Models;
using Tenon.Wire.Content;

namespace Tenon.Server.Harness;

/// <summary>
/// Whether a thread gets anywhere: a round of calls that has been made before, with the results that they had before,
/// brings nothing. A part of the <see cref="History"/>.
/// </summary>
public sealed class Progress
{
    private readonly HashSet<UInt128> _seen = [];

    /// <summary>Rounds in a row that brought nothing new.</summary>
    public int StaleRounds { get; private set; }

    /// <summary>Whether the model has been told of it since there was something new.</summary>
    public bool IsWarned { get; private set; }

    internal void Begin()
    {
        _seen.Clear();
        (StaleRounds, IsWarned) = (0, false);
    }

    internal void Warn() => IsWarned = true;

    internal void Take(IReadOnlyList<Call> round)
    {
        var isNew = false;
        foreach (var call in round)
        {
            isNew |= _seen.Add(Sign(call));
        }

        if (isNew)
        {
            (StaleRounds, IsWarned) = (0, false);
        }
        else
        {
            StaleRounds++;
        }
    }

    private static UInt128 Sign(Call call)
    {
        var hash = new XxHash128();
        Add(call.Name);
        Add(call.Input.ValueKind == System.Text.Json.JsonValueKind.Undefined ? "" : call.Input.GetRawText());
        foreach (var block in call.Result!.Content)
        {
            // A picture that a tool shows again is a new file each time.
            Add(block is TextBlock text ? text.Text : block.Type);
        }

        Add(call.Result.IsError ? "error" : "");
        return hash.GetCurrentHashAsUInt128();

        void Add(string text)
        {
            hash.Append(Encoding.UTF8.GetBytes(text));
            hash.Append([0]);
        }
    }
}
