namespace Sa2VA.VirtualGpu;

/// <summary>What a kernel did wrong.</summary>
public enum FaultKind
{
    /// <summary>An access outside every live allocation, or outside the block's shared memory.</summary>
    OutOfBounds,

    /// <summary>An address that is no multiple of the access's size.</summary>
    Misaligned,

    /// <summary>A read of memory that nothing wrote.</summary>
    Uninitialised,

    /// <summary>
    /// Two warps touch the same shared memory, or two blocks of a launch the same global memory, one writes, and nothing orders them.
    /// </summary>
    Race,

    /// <summary>A block touches memory of another than whom it works for (<see cref="VirtualDevice.Give"/>).</summary>
    Foreign,

    /// <summary>Shared memory is touched while an asynchronous copy to it has not been waited for.</summary>
    CopyInFlight,

    /// <summary>
    /// A register of a product (<c>wgmma</c>) that has not been waited for is read or written, or is used by a product of another shape.
    /// </summary>
    ProductInFlight,

    /// <summary>
    /// An asynchronous operation reads what ordinary stores wrote, uses registers that ordinary instructions wrote, or an mbarrier just
    /// made, and the fence for that is missing.
    /// </summary>
    MissingFence,

    /// <summary>
    /// A launch that may begin before the one before it has ended touches what that one writes, or writes what it touches, before
    /// <c>griddepcontrol.wait</c>.
    /// </summary>
    MissingWait,

    /// <summary>A block uses shared memory of another block of its cluster that has ended, or may have.</summary>
    EndedBlock,

    /// <summary>Arrivals or bytes at an mbarrier do not add up.</summary>
    Mbarrier,

    /// <summary>Lanes that must take part in a barrier, a shuffle or a product are not there.</summary>
    DivergentCollective,

    /// <summary>No warp of a block can go on.</summary>
    Deadlock,

    /// <summary>A block took more steps than <see cref="VirtualDeviceOptions.StepLimit"/> allows.</summary>
    StepLimit,

    /// <summary>
    /// The kernel ended itself (<c>trap</c>), wrote to read-only memory, or gave an instruction an operand that it does not allow.
    /// </summary>
    Illegal,
}
