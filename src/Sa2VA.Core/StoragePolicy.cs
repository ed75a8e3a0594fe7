namespace Sa2VA.Core;

/// <summary>
/// Which intermediates of a graph are stored as BF16: the one rule of all backends. A network is recorded in F32, which stands for "float";
/// only inputs, states and outputs have types of their own choice (<see cref="PrecisionExtensions.BoundaryType"/>).
/// </summary>
/// <remarks>
/// A tensor is BF16 where all who read it take it as an operand of a matrix product or of an attention, or hand it on to such a reader
/// without arithmetic that would suffer. F32 stay: what is added to something or is such a sum (residual streams), what a norm or a softmax
/// takes statistics of, what a choice is made by (logits, IoUs, masks), what is resampled or was an integer, what a boundary fixes, and
/// what <see cref="GraphBuilder.KeepFloat"/> names.
/// </remarks>
public static class StoragePolicy
{
    /// <summary>The intermediates that are recorded as F32 and stored as BF16; none in <see cref="Precision.Float32"/>.</summary>
    public static IReadOnlySet<Tensor> Narrowed(Graph graph, Precision precision)
    {
        HashSet<Tensor> narrow = [];
        if (!precision.IsNarrow()) return narrow;
        HashSet<Tensor> fixedTypes = [.. graph.Outputs.Select(o => o.Root)];
        foreach (Op op in graph.Ops)
        {
            Tensor root = op.Output.Root;
            if (root.Kind == TensorKind.Intermediate && root.Type == DType.F32 && !root.KeepsFloat && !fixedTypes.Contains(root)
                && !MakesFloat(op)) narrow.Add(root);
        }
        // Backwards, so that all readers of a result are known before those of what it is made of.
        foreach (Op op in graph.Ops.Reverse())
        {
            bool makesNarrow = op.Output.Type == DType.BF16 || narrow.Contains(op.Output.Root);
            for (int i = 0; i < op.Inputs.Count; i++)
                if (!TakesNarrow(op, i, makesNarrow)) narrow.Remove(op.Inputs[i].Root);
        }
        return narrow;
    }

    /// <summary>
    /// The graph with its intermediates' types as they are stored: BF16 where <see cref="Narrowed"/> says so. Where a backend's kernel
    /// cannot read or write BF16, a copy stands between. The graph itself where nothing changes.
    /// </summary>
    /// <param name="graph">As the passes left it; it stays as it is.</param>
    /// <param name="precision">The backend's.</param>
    /// <param name="kernels">What the backend's kernels can.</param>
    public static Graph Apply(Graph graph, Precision precision, INarrowKernels kernels)
    {
        IReadOnlySet<Tensor> narrow = Narrowed(graph, precision);
        return narrow.Count == 0 ? graph : new StoragePlacement(narrow, kernels).Apply(graph);
    }

    /// <summary>True if the result is F32 whoever reads it.</summary>
    private static bool MakesFloat(Op op) => op switch
    {
        Linear { Residual: not null } or ConvTranspose2d { Residual: not null } => true,
        Resize => true,
        // Integers above 256 would not survive.
        Copy => !op.Inputs[0].Type.IsFloat(),
        _ => false,
    };

    /// <summary>True if an input may be BF16.</summary>
    /// <param name="op">Who reads it.</param>
    /// <param name="input">Which of its inputs.</param>
    /// <param name="makesNarrow">True if the op's own result is BF16: what moves values then loses nothing.</param>
    private static bool TakesNarrow(Op op, int input, bool makesNarrow) => op switch
    {
        Linear or ConvTranspose2d => input == 0,
        GatedLinear or LinearArgMax or Conv2d or MatMul => true,
        FlashAttention or DecodeAttention or WindowAttention => true,
        WriteRows or Copy or Gather or Concat or Repeat or PixelShuffle or MaxPool2d => makesNarrow,
        RotaryEmbedding => makesNarrow && input == 0,
        RotaryAppend append => input == 0 ? makesNarrow : input < 3 && append.Besides[input - 1].Type == DType.BF16,
        Map map => makesNarrow && map.Function != Activation.Sigmoid,
        Combine combine => makesNarrow && combine.Function != Combination.Add,
        _ => false,
    };
}

/// <summary>Which tensors a backend's kernels can have in BF16.</summary>
public interface INarrowKernels
{
    /// <summary>True if the op's kernel reads this input where it is BF16.</summary>
    bool Reads(Op op, int input);

    /// <summary>True if the op's kernel stores its result as BF16.</summary>
    bool Writes(Op op);
}
