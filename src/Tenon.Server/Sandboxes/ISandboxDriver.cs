namespace Tenon.Server.Sandboxes;

/// <summary>Starts and ends what a <see cref="SandboxDescription"/> says, by one program that isolates.</summary>
internal interface ISandboxDriver
{
    /// <summary>As it is set and shown.</summary>
    string Name { get; }

    /// <summary>Whether what runs inside speaks to a kernel of its own, and not to the host's.</summary>
    bool HasOwnKernel { get; }

    /// <summary>What it needs of this machine, each with the fix. It is usable here when all of it holds.</summary>
    IReadOnlyList<ProbeResult> Check();

    /// <summary>
    /// Starts a sandbox within its limits and gives its init. The init's descriptors are nothing, the session's log
    /// twice, and the socket that it listens on; it has no other.
    /// </summary>
    /// <param name="socket">The path outside that leads to the hand once this returns.</param>
    /// <exception cref="SandboxException">It did not start, and nothing of it is left.</exception>
    Task<SandboxProcess> Start(SandboxDescription description, string socket);

    /// <summary>
    /// Ends a sandbox with everything in it, and takes away what the driver keeps of it. Also of one that has ended.
    /// </summary>
    /// <param name="process">Its init; null when that is dead.</param>
    void End(string instance, SandboxProcess? process);

    /// <summary>
    /// Stops everything in a sandbox where it stands, in milliseconds. False where this machine cannot, and then it
    /// runs on.
    /// </summary>
    bool Freeze(string instance);

    /// <summary>Lets a frozen sandbox go on. Does nothing to one that is not.</summary>
    void Thaw(string instance);

    /// <summary>Takes away what is left of sandboxes that ended while no server ran.</summary>
    void Collect();
}
