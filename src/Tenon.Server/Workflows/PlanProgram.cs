using Jint;
using Jint.Native;
using Jint.Runtime;
using System.Text.Json;

namespace Tenon.Server.Workflows;

/// <summary>
/// Runs the program of a plan as far as it comes. It is run from its beginning each time there are more results, and
/// does the same up to there: nothing in it depends on time or chance.
/// </summary>
public static class PlanProgram
{
    private const string Prelude =
        """
        (function () {
          const start = __start, result = __result, first = __first, enter = __enter, leave = __leave;
          const number = handle => {
            if (!handle || typeof handle.id !== 'number') { throw new TypeError('not a handle of startAgent'); }
            return handle.id;
          };
          globalThis.startAgent = (agent, task) => Object.freeze({ id: start(
            typeof agent === 'string' ? agent : '', typeof agent === 'string' ? '' : JSON.stringify(agent),
            String(task)) });
          globalThis.wait = handle => {
            const found = result(number(handle));
            if (found.failed) { throw new Error(found.text); }
            return found.text;
          };
          globalThis.waitAll = handles => Array.from(handles, handle => wait(handle));
          globalThis.waitAny = handles => {
            const ids = Array.from(handles, number);
            const id = first(ids);
            return { index: ids.indexOf(id), text: wait({ id }) };
          };
          globalThis.phase = (name, work) => {
            const index = enter(String(name));
            const value = work();
            leave(index);
            return value;
          };
          for (const name of ['__start', '__result', '__first', '__enter', '__leave', 'Date']) {
            delete globalThis[name];
          }
          Math.random = () => { throw new Error('a plan has no chance in it'); };
        })();
        """;

    /// <summary>How far the program comes with these results.</summary>
    /// <param name="phases">The names of the phases that the plan declares.</param>
    /// <param name="results">Of each agent in the order in which they were started; null for one still at work.</param>
    public static PlanRun Run(
        string program, IReadOnlyList<string> phases, IReadOnlyList<PlanResult?> results, PlanLimits limits)
    {
        var host = new Host(phases, results, limits);
        using var engine = new Engine(options => options
            .LimitMemory(limits.MemoryBytesMax)
            .TimeoutInterval(limits.TimeMax)
            .MaxStatements(limits.StatementsMax)
            .LimitRecursion(limits.RecursionMax)
            .Strict());
        try
        {
            host.Enter(engine);
            engine.Execute(Prelude);
            var value = engine.Evaluate($"(function () {{\n{program}\n}})()");
            return host.End(PlanEnd.Completed, Text(engine, value, limits));
        }
        catch (PlanWaitsException)
        {
            // It needs a result that there is none of yet.
            return host.End(PlanEnd.Waits, "");
        }
        catch (PlanEndException end)
        {
            return host.End(end.End, end.Message);
        }
        catch (Exception exception) when (exception is TimeoutException or MemoryLimitExceededException
            or StatementsCountOverflowException or RecursionDepthOverflowException)
        {
            return host.End(PlanEnd.Failed, $"The program went beyond a limit: {exception.Message}");
        }
        catch (Exception exception) when (exception is JintException or Acornima.ParseErrorException)
        {
            // What a model writes can fail in any way that the language knows.
            return host.End(PlanEnd.Failed, exception.Message);
        }
    }

    private static string Text(Engine engine, JsValue value, PlanLimits limits)
    {
        var text = value.IsUndefined() || value.IsNull() ? ""
            : value.IsString() ? value.AsString()
            : engine.Evaluate("JSON.stringify").Call(value) is { } json && json.IsString() ? json.AsString() : "";
        return text.Length > limits.ValueMax ? text[..limits.ValueMax] : text;
    }

    /// <summary>What the program can do: say what it wants, in order.</summary>
    private sealed class Host(IReadOnlyList<string> phases, IReadOnlyList<PlanResult?> results, PlanLimits limits)
    {
        private readonly List<PlanStep> _steps = [];
        private int _started;

        public void Enter(Engine engine)
        {
            engine.SetValue("__start", (string name, string inline, string task) => Start(name, inline, task));
            engine.SetValue("__result", (int id) => Result(engine, id));
            engine.SetValue("__first", (int[] ids) => First(ids));
            engine.SetValue("__enter", (string name) => EnterPhase(name));
            engine.SetValue("__leave", (int index) => _steps.Add(new LeavePhase(index)));
        }

        public PlanRun End(PlanEnd end, string text) => new(_steps, end, text);

        private int Start(string name, string inline, string task)
        {
            if (_started >= limits.AgentsMax)
            {
                throw new PlanEndException(PlanEnd.TooManyAgents, $"A run can start {limits.AgentsMax} agents.");
            }

            JsonElement? definition = inline.Length > 0 ? JsonElement.Parse(inline) : null;
            _steps.Add(new StartAgent(name, definition, task));
            return _started++;
        }

        private JsObject Result(Engine engine, int id)
        {
            var found = At(id) ?? throw new PlanWaitsException();
            var value = new JsObject(engine);
            value.Set("text", found.Text);
            value.Set("failed", found.IsError);
            return value;
        }

        private int First(int[] ids)
        {
            var finished = ids.Where(id => At(id) is not null).ToList();
            return finished.Count == 0 ? throw new PlanWaitsException() : finished.MinBy(id => At(id)!.Order);
        }

        private int EnterPhase(string name)
        {
            var index = phases.ToList().IndexOf(name);
            if (index < 0)
            {
                throw new PlanEndException(PlanEnd.Failed, $"The plan declares no phase '{name}'.");
            }

            _steps.Add(new EnterPhase(index));
            return index;
        }

        private PlanResult? At(int id) => id < 0 || id >= _started
            ? throw new PlanEndException(PlanEnd.Failed, "The program waits for an agent that it has not started.")
            : id < results.Count ? results[id] : null;
    }

    // Not of the engine's own kind, so that no program can catch them.
    private sealed class PlanWaitsException : Exception;

    private sealed class PlanEndException(PlanEnd end, string message) : Exception(message)
    {
        public PlanEnd End => end;
    }
}

/// <summary>What an agent of a run came to.</summary>
/// <param name="Order">Counts the results of a run as they came.</param>
public sealed record PlanResult(string Text, bool IsError, int Order);

/// <summary>Something that a program wants done.</summary>
public abstract record PlanStep;

/// <param name="Name">Of a predefined agent; empty for one that is made up.</param>
/// <param name="Definition">Of an agent that is made up.</param>
public sealed record StartAgent(string Name, JsonElement? Definition, string Task) : PlanStep;

/// <param name="Index">In the order in which the plan declares them.</param>
public sealed record EnterPhase(int Index) : PlanStep;

public sealed record LeavePhase(int Index) : PlanStep;

/// <summary>Where a program stands.</summary>
public enum PlanEnd
{
    /// <summary>It needs a result that there is none of yet.</summary>
    Waits,

    Completed,
    Failed,
    TooManyAgents,
}

/// <param name="Steps">All that it wanted done, from its beginning.</param>
/// <param name="Text">What it returned, or why it failed.</param>
public sealed record PlanRun(IReadOnlyList<PlanStep> Steps, PlanEnd End, string Text);

/// <summary>The bounds of one run of a program.</summary>
public sealed record PlanLimits
{
    /// <summary>A plan only gives orders; what takes time are the agents.</summary>
    public TimeSpan TimeMax { get; init; } = TimeSpan.FromSeconds(5);

    public int StatementsMax { get; init; } = 2_000_000;

    public long MemoryBytesMax { get; init; } = 64 * 1024 * 1024;

    public int RecursionMax { get; init; } = 200;

    /// <summary>Agents that a run can start (api C.9).</summary>
    public int AgentsMax { get; init; } = 1_000;

    /// <summary>Characters of what it returns: as many as a result may have.</summary>
    public int ValueMax { get; init; } = 100_000;
}
