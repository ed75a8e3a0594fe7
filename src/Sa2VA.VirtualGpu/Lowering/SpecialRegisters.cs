using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>The read-only registers that tell a thread where it is.</summary>
internal static class SpecialRegisters
{
    private static readonly HashSet<string> Names =
    [
        "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y",
        "%nctaid.z", "%laneid", "%lanemask_eq", "%lanemask_le", "%lanemask_lt", "%lanemask_ge", "%lanemask_gt",
        "%warpid", "%nwarpid", "%smid", "%nsmid", "%gridid",
        "%clusterid.x", "%clusterid.y", "%clusterid.z", "%nclusterid.x", "%nclusterid.y", "%nclusterid.z", "%cluster_ctaid.x",
        "%cluster_ctaid.y", "%cluster_ctaid.z", "%cluster_nctaid.x", "%cluster_nctaid.y", "%cluster_nctaid.z", "%cluster_ctarank",
        "%cluster_nctarank",
    ];

    /// <summary>Registers that count time: what a read gives is larger than what earlier ones of the block gave.</summary>
    private static readonly HashSet<string> Clocks = ["%clock", "%clock64", "%globaltimer"];

    public static bool IsClock(string name) => Clocks.Contains(name);

    /// <summary>Of no device in particular: which one a block runs on may not matter.</summary>
    private const int Multiprocessors = 16;

    public static bool Has(string name) => Names.Contains(name);

    /// <summary>Whether all threads of a block have the same, and those of other blocks another.</summary>
    public static bool IsOfBlock(string name) => name is "%ctaid.x" or "%ctaid.y" or "%ctaid.z" or "%smid" or "%cluster_ctarank"
        || name.StartsWith("%clusterid", StringComparison.Ordinal) || name.StartsWith("%cluster_ctaid", StringComparison.Ordinal);

    /// <summary>The value in one thread of a block.</summary>
    public static uint Value(string name, int thread, LaunchPlan plan, Dim3 at)
    {
        (Dim3 block, Dim3 blocks, Dim3 cluster) = (plan.Block, plan.Grid, plan.Cluster);
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
            "%clusterid.x" => (uint)(at.X / cluster.X),
            "%clusterid.y" => (uint)(at.Y / cluster.Y),
            "%clusterid.z" => (uint)(at.Z / cluster.Z),
            "%nclusterid.x" => (uint)(blocks.X / cluster.X),
            "%nclusterid.y" => (uint)(blocks.Y / cluster.Y),
            "%nclusterid.z" => (uint)(blocks.Z / cluster.Z),
            "%cluster_ctaid.x" => (uint)(at.X % cluster.X),
            "%cluster_ctaid.y" => (uint)(at.Y % cluster.Y),
            "%cluster_ctaid.z" => (uint)(at.Z % cluster.Z),
            "%cluster_nctaid.x" => (uint)cluster.X,
            "%cluster_nctaid.y" => (uint)cluster.Y,
            "%cluster_nctaid.z" => (uint)cluster.Z,
            "%cluster_ctarank" => (uint)(at.X % cluster.X + cluster.X * (at.Y % cluster.Y + cluster.Y * (at.Z % cluster.Z))),
            "%cluster_nctarank" => (uint)cluster.Count,
            _ => ~(below | self),
        };
    }
}
