namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>The read-only registers that tell a thread where it is.</summary>
internal static class SpecialRegisters
{
    private static readonly HashSet<string> Names =
    [
        "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y",
        "%nctaid.z", "%laneid", "%lanemask_eq", "%lanemask_le", "%lanemask_lt", "%lanemask_ge", "%lanemask_gt",
        "%warpid", "%nwarpid", "%smid", "%nsmid", "%gridid",
    ];

    /// <summary>Registers that count time: what a read gives is larger than what earlier ones of the block gave.</summary>
    private static readonly HashSet<string> Clocks = ["%clock", "%clock64", "%globaltimer"];

    public static bool IsClock(string name) => Clocks.Contains(name);

    /// <summary>Of no device in particular: which one a block runs on may not matter.</summary>
    private const int Multiprocessors = 16;

    public static bool Has(string name) => Names.Contains(name);

    /// <summary>Whether all threads of a block have the same, and those of other blocks another.</summary>
    public static bool IsOfBlock(string name) => name is "%ctaid.x" or "%ctaid.y" or "%ctaid.z" or "%smid";

    /// <summary>The value in one thread of a block.</summary>
    public static uint Value(string name, int thread, Dim3 block, Dim3 blocks, Dim3 at)
    {
        int lane = thread & 31;
        uint self = 1u << lane, below = self - 1;
        return name switch
        {
            "%tid.x" => (uint)(thread % block.X),
            "%tid.y" => (uint)(thread / block.X % block.Y),
            "%tid.z" => (uint)(thread / block.X / block.Y),
            "%ntid.x" => (uint)block.X,
            "%ntid.y" => (uint)block.Y,
            "%ntid.z" => (uint)block.Z,
            "%ctaid.x" => (uint)at.X,
            "%ctaid.y" => (uint)at.Y,
            "%ctaid.z" => (uint)at.Z,
            "%nctaid.x" => (uint)blocks.X,
            "%nctaid.y" => (uint)blocks.Y,
            "%nctaid.z" => (uint)blocks.Z,
            "%laneid" => (uint)lane,
            "%lanemask_eq" => self,
            "%lanemask_le" => below | self,
            "%lanemask_lt" => below,
            "%lanemask_ge" => ~below,
            "%warpid" => (uint)thread / 32,
            "%nwarpid" => (uint)(block.Count + 31) / 32,
            "%smid" => (uint)((at.X + (long)blocks.X * (at.Y + (long)blocks.Y * at.Z)) % Multiprocessors),
            "%nsmid" => Multiprocessors,
            "%gridid" => 1,
            _ => ~(below | self),
        };
    }
}
