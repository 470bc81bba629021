namespace Tenon.Server.Tests.Simulation;

/// <summary>
/// Runs the continuations of one owner in the order in which they came, one at a time, on the thread of the simulation:
/// what a grain's scheduler promises. An owner that has crashed is never run again.
/// </summary>
internal sealed class SimulatedScheduler : TaskScheduler
{
    private readonly Thread _thread = Thread.CurrentThread;
    private readonly Queue<Task> _ready = new();

    public bool IsReady => _ready.Count > 0;

    public void RunOne() => TryExecuteTask(_ready.Dequeue());

    public Task<T> Start<T>(Func<Task<T>> act) =>
        Task.Factory.StartNew(act, CancellationToken.None, TaskCreationOptions.None, this).Unwrap();

    protected override void QueueTask(Task task)
    {
        // Something of the product runs on the thread pool: its order would not follow from the seed.
        if (Thread.CurrentThread != _thread)
        {
            throw new InvalidOperationException("A continuation came from a thread that the simulation does not know.");
        }

        _ready.Enqueue(task);
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => _ready;
}
