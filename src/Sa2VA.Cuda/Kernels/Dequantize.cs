using System.Runtime.InteropServices;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A weight in codes as the bf16 numbers that they stand for, in the plan's workspace: for products of more rows than codes have kernels
/// for.
/// </summary>
internal sealed class DequantizeKernel
{
    private const int Threads = 256;

    private readonly DeviceMatrix _weight;
    private readonly CudaFunction? _function;

    public DequantizeKernel(DeviceMatrix weight, PlanContext context)
    {
        _weight = weight;
        _function = context.Function("dequantize", $"dequantize_int{weight.Bits}");
        context.NeedWorkspace((long)weight.Rows * weight.Columns * sizeof(ushort));
    }

    /// <summary>Launches it; the numbers are the workspace's.</summary>
    public View Launch(LaunchContext c)
    {
        var arguments = new Arguments { Run = c.Run, Weight = new View(_weight), Y = c.Workspace };
        // A thread has a word of each of four lanes.
        long threads = (long)_weight.Rows * (_weight.RowStride / 16);
        _function!.Launch(c.Stream, Grid.Over(threads, Threads), Threads, 0, arguments);
        return new View(_weight with { Address = c.Workspace, Codes = null });
    }

    /// <summary>DequantizeArguments of <c>kernels/dequantize.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Weight;
        public ulong Y;
    }
}
