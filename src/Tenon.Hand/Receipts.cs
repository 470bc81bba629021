using System.Text.Json;
using Tenon.Hand.Tools;
using Tenon.Wire.Hand;

namespace Tenon.Hand;

/// <summary>
/// Runs every tool-use id once and keeps what it answered until the server says that the answer is durable. A second
/// call of the same id gets the first one's run, whichever connection it comes by.
/// </summary>
internal sealed class Receipts(Toolbox tools)
{
    private static readonly ToolAnswer Dropped = ToolAnswer.Error(
        "This call has already run, but its result is no longer kept.");

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Receipt> _receipts = new(StringComparer.Ordinal);
    private readonly Queue<Receipt> _finished = new();
    private long _keptBytes;
    private int _kept;

    public Task<ToolAnswer> Call(string toolUseId, string? shell, ToolInput input)
    {
        Receipt receipt;
        lock (_gate)
        {
            if (_receipts.TryGetValue(toolUseId, out var known))
            {
                return known.Answer.Task;
            }

            receipt = new Receipt(toolUseId);
            _receipts.Add(toolUseId, receipt);
        }

        _ = Run(receipt, shell, input);
        return receipt.Answer.Task;
    }

    public void Cancel(string toolUseId)
    {
        Receipt? receipt;
        lock (_gate)
        {
            _receipts.TryGetValue(toolUseId, out receipt);
        }

        receipt?.Cancellation.Cancel();
    }

    public void Forget(string toolUseId)
    {
        lock (_gate)
        {
            if (_receipts.TryGetValue(toolUseId, out var receipt) && receipt.Answer.Task.IsCompleted)
            {
                _receipts.Remove(toolUseId);
                Drop(receipt);
            }
        }
    }

    /// <inheritdoc cref="Toolbox.Save"/>
    public Task Save() => tools.Save();

    private async Task Run(Receipt receipt, string? shell, ToolInput input)
    {
        // Off the connection's thread, which has other requests to read.
        await Task.Yield();
        ToolAnswer answer;
        try
        {
            answer = await tools.Run(receipt.ToolUseId, shell, input, receipt.Cancellation.Token);
        }
        catch (ToolFault fault)
        {
            // The expected kind: the model reads it.
            answer = ToolAnswer.Error(fault.Message);
        }
        catch (OperationCanceledException)
        {
            // Asked for by the server.
            answer = ToolAnswer.Error(HandProtocol.Interrupted);
        }
        catch (Exception exception)
        {
            // Whatever a tool meets, the hand goes on and the model hears of it: a lost call would hang the session.
            answer = ToolAnswer.Error($"{input.Tool}: {exception.Message}");
        }

        lock (_gate)
        {
            receipt.Bytes = answer.Size;
            receipt.Answer.SetResult(answer);
            _finished.Enqueue(receipt);
            _kept++;
            _keptBytes += receipt.Bytes;
            MakeRoom();
        }
    }

    // NOTE: the id stays when the answer goes, since a call must not run twice.
    private void MakeRoom()
    {
        while ((_kept > ToolLimits.Receipts || _keptBytes > ToolLimits.ReceiptBytes)
            && _finished.TryDequeue(out var old))
        {
            if (!old.IsDropped)
            {
                Drop(old);
                _receipts[old.ToolUseId] = Receipt.Of(old.ToolUseId, Dropped);
            }
        }

        while (_finished.TryPeek(out var first) && first.IsDropped)
        {
            _finished.Dequeue();
        }
    }

    private void Drop(Receipt receipt)
    {
        if (!receipt.IsDropped)
        {
            receipt.IsDropped = true;
            _kept--;
            _keptBytes -= receipt.Bytes;
        }
    }

    private sealed record Receipt(string ToolUseId)
    {
        public TaskCompletionSource<ToolAnswer> Answer { get; private init; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationTokenSource Cancellation { get; } = new();

        public long Bytes { get; set; }

        public bool IsDropped { get; set; }

        public static Receipt Of(string toolUseId, ToolAnswer answer)
        {
            var receipt = new Receipt(toolUseId) { IsDropped = true };
            receipt.Answer.SetResult(answer);
            return receipt;
        }
    }
}
