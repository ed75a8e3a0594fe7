using Sa2VA.Core;
using Sa2VA.Cuda.Driver;
using Sa2VA.Cuda.Kernels;

namespace Sa2VA.Cuda;

/// <summary>
/// How an op of a compiled plan is launched. Made once when the graph is compiled: weights and tables are taken then. Launches are recorded
/// for every binding, with grids for the capacities; kernels look at the run-time lengths themselves.
/// </summary>
internal abstract class Kernel
{
    /// <summary>Launches it on the stream, where everything lies.</summary>
    public abstract void Launch(LaunchContext c);
}

/// <summary>What kernels take when a graph is compiled.</summary>
internal sealed class PlanContext(CudaBackend backend, PlanWeights weights, List<int> sites)
{
    /// <summary>The backend's.</summary>
    public Precision Precision => backend.Precision;

    /// <summary>The device: for grids and tiles only; no result may depend on it.</summary>
    public DeviceFacts Device => backend.Facts;

    /// <summary>The backend's.</summary>
    public HopperUse Hopper => backend.Hopper;

    /// <summary>A kernel by its file and name; null in a backend that only counts.</summary>
    public CudaFunction? Function(string family, string name) =>
        backend.Account.CountsOnly ? null : backend.Modules.Function(family, name);

    /// <summary>A small weight as F32; 0 for none.</summary>
    public ulong Vector(Weight? weight) => weight is null ? 0 : weights.Vector(weight);

    /// <summary>A depthwise filter [C, 1, k, k] as [k·k, C], F32.</summary>
    public ulong TapMajor(Weight weight) => weights.TapMajor(weight);

    /// <summary>Values that depend on what the name says and on nothing else.</summary>
    public ulong Table<T>(string name, T[] values) where T : unmanaged => weights.Table(name, values);

    /// <summary>A constant tensor's values.</summary>
    public ulong Constant(Tensor root) => weights.Constant(root);

    /// <summary>A matrix weight of an op in the type that the op multiplies.</summary>
    public DeviceMatrix Matrix(Op op, Weight weight, WeightLayout layout = WeightLayout.RowMajor)
    {
        int bits = GroupQuantization.BitsOf(backend.Precision, weight);
        bool isNarrow = bits < 16 || (Precision.IsNarrow() && !op.Output.KeepsFloat);
        return weights.Matrix(weight, layout, isNarrow ? DType.BF16 : weight.Info.Type, bits);
    }

    /// <summary>
    /// The same for products of bf16 by tensor cores, in codes where the precision has fewer bits for it and rows of both operands are
    /// chunks of 16 bytes.
    /// </summary>
    public DeviceMatrix MatrixOrCodes(Op op, Weight weight)
    {
        Tensor x = op.Inputs[0];
        bool isInChunks = x.Type == DType.BF16 && !op.Output.KeepsFloat
            && (x.Offset | (long)x.RowStride | (long)x.Shape.Last) % ProductKernels.ChunkSize == 0;
        int bits = GroupQuantization.BitsOf(backend.Precision, weight);
        return bits < 16 && isInChunks ? weights.Codes(weight, new WeightCodes(bits)) : Matrix(op, weight);
    }

    /// <summary>A matrix in codes of 8 bits in the order of its rows, for kernels without tensor cores; null where it has more.</summary>
    public DeviceMatrix? RowCodes(Weight weight) => GroupQuantization.BitsOf(backend.Precision, weight) == 8
        ? weights.Codes(weight, new WeightCodes(8, IsInRowOrder: true)) : null;

    /// <summary>A weight in its stored type, for look-ups by row.</summary>
    public DeviceMatrix Stored(Weight weight) => weights.Matrix(weight, WeightLayout.Stored, weight.Info.Type);

    /// <summary>Bytes that the op which needs most of them has behind the plan's intermediates.</summary>
    public long WorkspaceBytes { get; private set; }

    /// <summary>
    /// Asks for memory that launches of one op hand on to each other (<see cref="LaunchContext.Workspace"/>). Ops run one after the other,
    /// so all of a plan have the same bytes: undefined when an op begins, nobody's when it ends.
    /// </summary>
    /// <param name="bytes">What the op needs at its capacity.</param>
    public void NeedWorkspace(long bytes) => WorkspaceBytes = Math.Max(WorkspaceBytes, bytes);

    /// <summary>A number under which a kernel reports that a check failed.</summary>
    /// <param name="sentence">What is then told.</param>
    public int CheckSite(Func<CheckFinding, string> sentence)
    {
        int site = backend.Sites.Add(sentence);
        sites.Add(site);
        return site;
    }
}

/// <summary>Where everything lies for one binding, and the stream to launch on.</summary>
internal sealed class LaunchContext(CudaPlan plan, ulong arena, ulong[] slots, RunArguments run, nint stream)
{
    /// <summary>What all kernels are given first.</summary>
    public RunArguments Run => run;

    public nint Stream => stream;

    /// <summary>The bytes that <see cref="PlanContext.NeedWorkspace"/> asked for; begins at a cache line.</summary>
    public ulong Workspace => arena + (ulong)plan.WorkspaceOffset;

    /// <summary>A tensor where it lies; nothing for null.</summary>
    public View View(Tensor? tensor) => tensor is null ? default : new View(tensor, AddressOf(tensor));

    private ulong AddressOf(Tensor tensor) => tensor.Kind switch
    {
        TensorKind.Constant => plan.Constant(tensor.Root),
        TensorKind.List => run.Numbers + (ulong)tensor.Root.BlockOffset * sizeof(int),
        _ => plan.SlotOf(tensor.Root) is >= 0 and var slot ? slots[slot] : arena + (ulong)plan.OffsetOf(tensor.Root),
    };
}
