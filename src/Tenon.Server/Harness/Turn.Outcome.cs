using Tenon.Server.Models;
using Tenon.Server.Sandboxes;
using Tenon.Server.Tools;
using Tenon.Wire.Events;

namespace Tenon.Server.Harness;

/// <content>
/// Outcomes (api C.8): the model is told what to reach, and whenever it would end its turn a grader looks whether that
/// is reached. All in the log: an evaluation that a crash cuts short is made again under its start.
/// </content>
public sealed partial class Turn
{
    /// <summary>A grader's calls have ids that no event has: they are shown to nobody.</summary>
    private const string GraderCallPrefix = "grade_";

    /// <summary>The entries that end the outcome which is worked towards, because somebody has interrupted it; none
    /// without one.</summary>
    public static IReadOnlyList<object> InterruptOutcome(SessionLog session) =>
        session.History.Outcomes.Active is { } outcome
            ? [EvaluationEnd(session, outcome, OutcomeResult.Interrupted, "The session was interrupted.")] : [];

    /// <summary>
    /// What the outcome asks for while no call is open: telling the model, an evaluation, or waiting for the budget.
    /// Null when that is nothing.
    /// </summary>
    private Task? NextOfOutcome(CancellationToken cancellationToken)
    {
        if (!log.IsPrimary || History.Session.Outcomes.Active is not { } outcome)
        {
            return null;
        }

        if (!outcome.IsTold)
        {
            return log.Append(OutcomeWords.Task(outcome));
        }

        if (History.NeedsAnswer || (outcome.StartId is null
            && (History.Waiting.Count > 0 || HasMessages || OthersWork(log.Session))))
        {
            return null;
        }

        return log.IsAtBudget ? Pause()
            : outcome.StartId is null
                ? log.Append(new OutcomeEvaluationStart { OutcomeId = outcome.Id, Iteration = outcome.Iteration })
            : Evaluate(outcome, cancellationToken);
    }

    /// <summary>
    /// Whether an evaluation has waited for the thread that has just ended: the primary one has ended its turn, and
    /// nobody will report to it any more.
    /// </summary>
    private static bool IsEvaluationDue(SessionLog session) =>
        session.History.Outcomes.Active is not null
        && session.Primary.History is { Status: SessionStatus.Idle, Round.Count: 0 }
        && session.Primary.History.StopReason?.Type == StopReason.EndTurn.Type && !OthersWork(session);

    // One whose calls wait for the client still has its report to give.
    private static bool OthersWork(SessionLog session) => session.Runs.Open.Any()
        || session.Threads.Any(thread => !thread.IsPrimary
        && thread.History.Status != SessionStatus.Terminated
        && (SessionStatus.IsActive(thread.History.Status) || thread.History.Round.Count > 0));

    /// <summary>The entries that end the outcome with the primary thread's turn; an error ends an evaluation only.
    /// </summary>
    private static IReadOnlyList<object> CloseOutcome(ThreadLog log, bool isError) =>
        !log.IsPrimary || log.Session.History.Outcomes.Active is not { } outcome ? []
        : !isError ? InterruptOutcome(log.Session)
        : outcome.StartId is null ? []
        : [EvaluationEnd(
            log.Session, outcome, OutcomeResult.Failed, "The server failed while the work was evaluated.")];

    private async Task Evaluate(Outcome outcome, CancellationToken cancellationToken)
    {
        var hasFiles = !History.Session.IsSelfHosted && (History.Session.SandboxInstance is not null
            || BuiltinTools.Sandboxed.Any(tool => Permission.IsEnabled(Agent.Tools, tool.Name)));
        var work = hasFiles ? null : Consultation.Transcript(History.Messages);
        var grader = new Grader(Grader.Input(outcome, LastWords(log), work), hasFiles, limits);
        using var evaluation = new Evaluation(outcome, grader, limits.GraderHeartbeat, clock);
        if (await Grade(evaluation, cancellationToken) is { } verdict)
        {
            await log.Append(Judged(outcome, verdict));
        }
    }

    /// <summary>The verdict; null when the budget ended the grading, and the next step waits for another one.</summary>
    private async Task<Verdict?> Grade(Evaluation evaluation, CancellationToken cancellationToken)
    {
        for (var round = 0; round < limits.GraderRoundsMax; round++)
        {
            if (log.IsAtBudget)
            {
                return null;
            }

            var response = await AskGrader(evaluation, cancellationToken);
            if (response.Fault is { } fault)
            {
                return Verdict.Failed($"The grader could not be asked: {fault.Message}");
            }

            if (await evaluation.Grader.Take(response, use => Look(evaluation, use, cancellationToken)) is { } verdict)
            {
                return verdict;
            }
        }

        return Verdict.Failed($"The grader came to no verdict in {limits.GraderRoundsMax} answers.");
    }

    /// <summary>One answer of the grader, tried as often as an answer to the agent is, then of the models that follow.
    /// </summary>
    private async Task<ModelResponse> AskGrader(Evaluation evaluation, CancellationToken cancellationToken)
    {
        var response = ModelResponse.Unfinished;
        foreach (var asked in (IEnumerable<string>)[AskedModel, .. FallbacksLeft])
        {
            for (var attempt = 1; attempt <= limits.ModelAttemptsMax; attempt++)
            {
                response = await Attend(
                    evaluation, model.Answer(evaluation.Grader.Request(Agent, asked), cancellationToken),
                    cancellationToken);
                Pay(asked, response.Usage);
                if (response.Fault is not { } fault)
                {
                    evaluation.Grader.IsFull |=
                        Tokens(response.Usage) > model.ContextWindow(asked) * limits.CompactionShare;
                    return response;
                }

                if (!Faults.Describe(fault.Kind).CanRetry || attempt == limits.ModelAttemptsMax)
                {
                    break;
                }

                await Attend(evaluation, Wait(Faults.Delay(attempt, fault.RetryAfter, limits)), cancellationToken);
            }
        }

        return response;

        async Task<bool> Wait(TimeSpan delay)
        {
            await Task.Delay(delay, clock, cancellationToken);
            return true;
        }
    }

    // Nothing waits for it: what follows in the log becomes durable after it.
    private void Pay(string asked, ModelUsage usage)
    {
        if (Tokens(usage) > 0)
        {
            var costUsd = log.Prices.RequestUsd(Agent.Model with { Id = asked }, usage);
            _pending = log.Append(new GraderAnswer(usage, costUsd ?? 0) { IsUnpriced = costUsd is null });
        }
    }

    private static long Tokens(ModelUsage usage) => usage.InputTokens + usage.OutputTokens + usage.CacheReadTokens
        + usage.CacheWrite5mTokens + usage.CacheWrite1hTokens;

    /// <summary>A call of the grader. It only reads, so it is made under another id after a crash.</summary>
    private async Task<ToolOutput> Look(
        Evaluation evaluation, ModelToolUse use, CancellationToken cancellationToken)
    {
        var call = new Call
        {
            Id = GraderCallPrefix + log.NextId(), ProviderId = use.Id, Name = use.Name, Input = use.Input,
        };
        if (await TryOpen(call, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        var run = tools.Run(call.Id, call.Name, call.Input, _interrupt.Token).WaitAsync(cancellationToken);
        var output = await Attend(evaluation, run, cancellationToken);
        await tools.Forget(call.Id);
        return output;
    }

    /// <summary>Waits for what the grader does, and tells clients now and then that it is at work.</summary>
    private async Task<T> Attend<T>(Evaluation evaluation, Task<T> work, CancellationToken cancellationToken)
    {
        while (await Task.WhenAny(work, evaluation.Beat) != work)
        {
            cancellationToken.ThrowIfCancellationRequested();
            evaluation.WaitForBeat();
            await log.Append(new OutcomeEvaluationOngoing
            {
                OutcomeId = evaluation.Outcome.Id, Iteration = evaluation.Outcome.Iteration,
            });
        }

        return await work;
    }

    /// <summary>The verdict as it is logged, with what it means to the agent. Without that the turn ends.</summary>
    private IReadOnlyList<object> Judged(Outcome outcome, Verdict verdict)
    {
        var (result, explanation) = (verdict.Result, verdict.Explanation);
        var isLast = result == OutcomeResult.NeedsRevision && outcome.Iteration + 1 >= outcome.IterationsMax;
        var end = EvaluationEnd(
            log.Session, outcome, isLast ? OutcomeResult.MaxIterationsReached : result, explanation);
        return isLast ? [end, OutcomeWords.Acknowledge(outcome, explanation)]
            : result == OutcomeResult.NeedsRevision ? [end, OutcomeWords.Revise(outcome, explanation)]
            : [end];
    }

    private static OutcomeEvaluationEnd EvaluationEnd(
        SessionLog session, Outcome outcome, string result, string explanation) => new()
    {
        OutcomeEvaluationStartId = outcome.StartId ?? "",
        OutcomeId = outcome.Id,
        Iteration = outcome.Iteration,
        Result = result,
        Explanation = explanation,
        Usage = Used(session.Primary.Agent, outcome.Usage),
    };

    private sealed class Evaluation(Outcome outcome, Grader grader, TimeSpan heartbeat, TimeProvider clock)
        : IDisposable
    {
        private readonly CancellationTokenSource _over = new();
        private Task? _beat;

        public Outcome Outcome => outcome;

        public Grader Grader => grader;

        /// <summary>Completes when clients are to hear that it goes on.</summary>
        public Task Beat => _beat ??= Task.Delay(heartbeat, clock, _over.Token);

        public void WaitForBeat() => _beat = null;

        public void Dispose()
        {
            _over.Cancel();
            _over.Dispose();
        }
    }
}
