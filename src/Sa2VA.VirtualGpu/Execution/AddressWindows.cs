using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Where the spaces that belong to a block or a thread begin among generic addresses; below lies global memory.</summary>
internal static class AddressWindows
{
    public const ulong Shared = 0x7f00_0000_0000, Local = 0x7f40_0000_0000, Param = 0x7f80_0000_0000;

    /// <summary>The begin of a space's window; 0 for global and constant memory.</summary>
    public static ulong Of(StateSpace space) => space switch
    {
        StateSpace.Shared => Shared,
        StateSpace.Local => Local,
        StateSpace.Param => Param,
        _ => 0,
    };

    /// <summary>The space of a generic address, which becomes one of that space.</summary>
    public static StateSpace Split(ref ulong address)
    {
        if (address < Shared) return StateSpace.Global;
        StateSpace space = address >= Param ? StateSpace.Param : address >= Local ? StateSpace.Local : StateSpace.Shared;
        address -= Of(space);
        return space;
    }
}
