namespace Sa2VA.Core;

/// <summary>Somewhere to compute. A backend package provides one; a model is loaded onto it. It holds nothing until it is opened.</summary>
public abstract class Device
{
    /// <summary>Short name: <c>cpu</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What the device is and how it is to be used, for people.</summary>
    public abstract string Description { get; }

    /// <summary>Starts a backend of its own for one model.</summary>
    /// <param name="memoryBudget">Most bytes that it may hold (weights, intermediates, sessions); 0 means no limit.</param>
    /// <exception cref="DeviceException">The device is not there, or a choice is out of range.</exception>
    public abstract IBackend Open(long memoryBudget = 0);
}
