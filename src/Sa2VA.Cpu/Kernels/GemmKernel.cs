using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>A kernel around one GEMM; parts are row ranges when there are more rows than outputs, panel ranges otherwise.</summary>
internal abstract unsafe class GemmKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly PackedWeights _weights;
    private readonly SimdLevel _simd;
    private readonly FloatBlocks? _blocks;
    private readonly int _workers;
    private bool _byRows;

    /// <param name="op">Reads x first.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="context">Where it runs.</param>
    /// <param name="partBytes">Scratch of each part besides the GEMM's own.</param>
    protected GemmKernel(Op op, PackedWeights weights, KernelContext context, long partBytes = 0) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _weights = weights;
        Scratch = context.Scratch(partBytes + Gemm.ScratchBytes(weights.K));
        PartBytes = partBytes;
        (_simd, _blocks, _workers) = (context.Simd, context.Blocks, context.Workers);
    }

    /// <summary>The input in this run.</summary>
    protected RowView X { get; private set; }

    /// <summary>The result in this run.</summary>
    protected RowView Out { get; private set; }

    /// <summary>Each part's scratch: <see cref="PartBytes"/> of the kernel's, then the GEMM's.</summary>
    protected WorkerScratch Scratch { get; }

    /// <summary>Scratch of each part besides the GEMM's own.</summary>
    protected long PartBytes { get; }

    /// <summary>Parts of this run.</summary>
    protected int Parts { get; private set; }

    /// <summary>False when each part needs all rows.</summary>
    protected virtual bool MaySplitRows => true;

    public override int Prepare(in RunContext run)
    {
        (X, Out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        if (X.Rows == 0) return 0;
        _byRows = MaySplitRows && X.Rows >= _weights.N;
        return Parts = (int)Math.Min(_workers, _byRows ? (X.Rows + 11) / 12 : _weights.Panels);
    }

    public override void Run(int part)
    {
        switch (_simd)
        {
            case SimdLevel.V512: Run<V512>(part); break;
            case SimdLevel.V256: Run<V256>(part); break;
            default: Run<V128>(part); break;
        }
    }

    /// <summary>Computes a part at one width, by <see cref="Multiply{T, TEpilogue}"/>.</summary>
    protected abstract void Run<T>(int part) where T : unmanaged, ISimd<T>;

    /// <summary>A part of the product, given to an epilogue.</summary>
    protected void Multiply<T, TEpilogue>(int part, in TEpilogue epilogue) where T : unmanaged, ISimd<T> where TEpilogue : struct, IEpilogue
    {
        (long first, long end) = Share(_byRows ? X.Rows : _weights.Panels, part, Parts);
        GemmPart share = _byRows ? new(first, end, 0, _weights.Panels) : new(0, X.Rows, (int)first, (int)end);
        byte* scratch = Scratch.Slice(part) + PartBytes;
        if (X.Rows > 1)
        {
            Gemm.Run<T, TEpilogue>(MatrixRows.Of(X), _weights, share, epilogue, scratch, _blocks);
            return;
        }
        float* row = X.Type == DType.F32 ? X.Floats : (float*)scratch;
        if (X.Type != DType.F32) Widen.Row(X.Pointer, X.Type, 0, new Span<float>(row, _weights.K));
        Gemm.RunRow<T, TEpilogue>(row, _weights, share.FirstPanel, share.EndPanel, epilogue);
    }
}
