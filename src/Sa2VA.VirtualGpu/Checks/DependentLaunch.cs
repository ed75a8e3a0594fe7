namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// How a launch that may begin before those before it have ended (programmatic dependent launch) went about that: what it did before
/// <c>griddepcontrol.wait</c>, and when it let its own dependents begin.
/// </summary>
/// <param name="early">Receives what its blocks touch before they know of a wait; null where nobody looks.</param>
internal sealed class DependentLaunch(LaunchFootprint? early)
{
    public LaunchFootprint? Early => early;

    /// <summary>Whether a block waited: the launch ends behind the one before it.</summary>
    public bool Waited { get; private set; }

    /// <summary>
    /// Whether a block let dependents begin (or ended) when it had waited: they begin when all blocks have, and so behind the one before.
    /// </summary>
    public bool LetsGoLate { get; private set; }

    /// <summary>A block has ended.</summary>
    public void Ended(bool waited, bool letsGoLate)
    {
        // Blocks end on several threads; either only ever becomes true.
        if (waited) Waited = true;
        if (letsGoLate) LetsGoLate = true;
    }
}
