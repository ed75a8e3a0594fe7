namespace Sa2VA.Core;

/// <summary>Somewhere to compute. A backend package provides one; a model is loaded onto it. It holds nothing until it is opened.</summary>
public abstract class Device
{
    /// <summary>Short name: <c>cpu</c>.</summary>
    public abstract string Name { get; }

    /// <summary>What the device is and how it is to be used, for people.</summary>
    public abstract string Description { get; }

    /// <summary>How many bits its backends store numbers in: the one place where that is chosen. F32 unless told otherwise.</summary>
    public Precision Precision { get; init; }

    /// <summary>Starts a backend of its own for one model.</summary>
    /// <param name="memoryBudget">
    /// Most bytes that it may hold (weights, intermediates, sessions); 0 means what the device has free then, or no limit where that is not
    /// known beforehand.
    /// </param>
    /// <exception cref="DeviceException">The device is not there, or a choice is out of range.</exception>
    public abstract IBackend Open(long memoryBudget = 0);

    /// <summary>
    /// A backend that allocates nothing, reads no weights and runs nothing, but compiles as <see cref="Open"/>'s does: its
    /// <see cref="IBackend.Memory"/> is what that one would hold.
    /// </summary>
    /// <exception cref="DeviceException">This device cannot tell.</exception>
    public virtual IBackend OpenCounting() => throw new DeviceException($"The device {Name} cannot tell what memory it would need.");
}
