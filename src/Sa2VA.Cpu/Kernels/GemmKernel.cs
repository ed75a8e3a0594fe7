using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// A kernel around one GEMM; parts are row ranges when there are more rows than outputs, panel ranges otherwise. In pairs of BF16 packing
/// rows is no small share of the work, so parts are cells of a grid of both.
/// </summary>
internal abstract unsafe class GemmKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly PackedWeights _weights;
    private readonly SimdLevel _simd;
    private readonly FloatBlocks? _blocks;
    private readonly int _workers;
    private int _rowParts, _panelParts;

    /// <param name="op">Reads x first.</param>
    /// <param name="weights">Its weights.</param>
    /// <param name="context">Where it runs.</param>
    /// <param name="partBytes">Scratch of each part besides the GEMM's own.</param>
    protected GemmKernel(Op op, PackedWeights weights, KernelContext context, long partBytes = 0) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _weights = weights;
        Scratch = context.Scratch(partBytes + Gemm.ScratchBytes(weights));
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
        if (_weights.Pairs is not null) (_rowParts, _panelParts) = Grid();
        else if (MaySplitRows && X.Rows >= _weights.N) (_rowParts, _panelParts) = ((int)Math.Min(_workers, (X.Rows + 11) / 12), 1);
        else (_rowParts, _panelParts) = (1, Math.Min(_workers, _weights.Panels));
        return Parts = _rowParts * _panelParts;
    }

    /// <summary>The grid whose largest cell has the least to do, for blocks of 32 rows, packing included.</summary>
    private (int Rows, int Panels) Grid()
    {
        // To pack a block takes about as long as to multiply it by two panels.
        const int Packing = 2;
        long blocks = (X.Rows + 31) / 32, least = long.MaxValue;
        (int, int) best = default;
        for (int rows = 1; rows <= (MaySplitRows ? Math.Min(_workers, blocks) : 1); rows++)
        {
            int panels = Math.Min(_workers / rows, _weights.Panels);
            long cost = (blocks + rows - 1) / rows * ((_weights.Panels + panels - 1) / panels + Packing);
            if (cost < least) (least, best) = (cost, (rows, panels));
        }
        return best;
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
        // Blocks of pairs are not cut.
        int block = _weights.Pairs is null ? 1 : 32;
        (long firstRow, long endRow) = Share((X.Rows + block - 1) / block, part / _panelParts, _rowParts);
        (long firstPanel, long endPanel) = Share(_weights.Panels, part % _panelParts, _panelParts);
        var share = new GemmPart(firstRow * block, Math.Min(endRow * block, X.Rows), (int)firstPanel, (int)endPanel);
        byte* scratch = Scratch.Slice(part) + PartBytes;
        if (X.Rows > 1 || _weights.Pairs is not null)
        {
            Gemm.Run<T, TEpilogue>(MatrixRows.Of(X), _weights, share, epilogue, scratch, _blocks);
            return;
        }
        float* row = X.Type == DType.F32 ? X.Floats : (float*)scratch;
        if (X.Type != DType.F32) Widen.Row(X.Pointer, X.Type, 0, new Span<float>(row, _weights.K));
        Gemm.RunRow<T, TEpilogue>(row, _weights, share.FirstPanel, share.EndPanel, epilogue);
    }
}
