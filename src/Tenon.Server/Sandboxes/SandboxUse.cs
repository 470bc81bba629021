namespace Tenon.Server.Sandboxes;

/// <summary>
/// What a session's sandbox is doing: how many calls run, since when it rests, whether it is frozen, and whether its
/// files are held still.
/// </summary>
internal sealed class SandboxUse(TimeProvider time)
{
    private readonly Lock _gate = new();
    private int _calls;
    private TaskCompletionSource? _hold;
    private Action? _thaw;
    private DateTimeOffset _restsSince = time.GetUtcNow();

    /// <summary>Since when nothing was asked of it; the end of time while a call runs.</summary>
    public DateTimeOffset RestsSince
    {
        get
        {
            lock (_gate)
            {
                return _calls > 0 ? DateTimeOffset.MaxValue : _restsSince;
            }
        }
    }

    /// <summary>Before a call: thaws the sandbox, and waits while its files are held still.</summary>
    public async ValueTask Begin()
    {
        while (true)
        {
            Task held;
            lock (_gate)
            {
                if (_hold is null)
                {
                    _calls++;
                    Thaw();
                    return;
                }

                held = _hold.Task;
            }

            await held;
        }
    }

    /// <summary>After a call.</summary>
    public void End()
    {
        lock (_gate)
        {
            _calls--;
            _restsSince = time.GetUtcNow();
        }
    }

    /// <summary>Something but a call has used its files.</summary>
    public void Touch()
    {
        lock (_gate)
        {
            _restsSince = time.GetUtcNow();
        }
    }

    /// <summary>Lets no call begin until <see cref="Release"/>. False while one runs.</summary>
    public bool TryHold()
    {
        lock (_gate)
        {
            if (_calls > 0 || _hold is not null)
            {
                return false;
            }

            _hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return true;
        }
    }

    public void Release()
    {
        lock (_gate)
        {
            _hold?.SetResult();
            _hold = null;
        }
    }

    /// <summary>Freezes a sandbox that has rested since <paramref name="before"/>.</summary>
    public void TryFreeze(DateTimeOffset before, Func<bool> freeze, Action thaw)
    {
        lock (_gate)
        {
            if (_calls == 0 && _hold is null && _thaw is null && _restsSince <= before && freeze())
            {
                _thaw = thaw;
            }
        }
    }

    public bool IsFrozen
    {
        get
        {
            lock (_gate)
            {
                return _thaw is not null;
            }
        }
    }

    /// <summary>The sandbox is another one now, or none: nothing of it is frozen.</summary>
    public void Forget()
    {
        lock (_gate)
        {
            Thaw();
        }
    }

    private void Thaw()
    {
        _thaw?.Invoke();
        _thaw = null;
    }
}
