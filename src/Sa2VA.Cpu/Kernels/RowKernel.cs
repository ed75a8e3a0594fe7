using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// A kernel that makes each row of its result from the same row of its operands; parts are row ranges. Rows of the first operand and of the
/// result that are stored as BF16 are widened into scratch, and rounded from there: kernels see F32.
/// </summary>
internal abstract unsafe class RowKernel : Kernel
{
    /// <summary>Below this many elements another thread costs more than it brings.</summary>
    private const int ElementsPerPart = 8192;

    /// <summary>Elements of BF16 rows that go through scratch at a time: they stay in L1.</summary>
    private const int ElementsAtOnce = 2048;

    private readonly Operand _xOperand, _outOperand;
    private readonly SimdLevel _simd;
    private readonly int _workers;
    private readonly WorkerScratch? _scratch;
    private RowView _x, _out;
    private int _parts;

    protected RowKernel(Op op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        (_simd, _workers) = (context.Simd, context.Workers);
        if (op.Inputs[0].Type != DType.F32 || op.Output.Type != DType.F32)
            _scratch = context.Scratch(2L * RowsAtOnce(op.Output.Shape.Last) * op.Output.Shape.Last * sizeof(float));
    }

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        ResolveInputs(run);
        long wanted = Math.Max(1, _out.Rows * _out.Columns / ElementsPerPart);
        return _parts = (int)Math.Min(Math.Min(_workers, wanted), _out.Rows);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_out.Rows, part, _parts);
        if (_scratch is null)
        {
            Rows(_x, _out, first, end);
            return;
        }
        float* scratch = (float*)_scratch.Slice(part);
        int rows = RowsAtOnce(_out.Columns);
        for (; first < end; first += rows)
        {
            long last = Math.Min(end, first + rows);
            RowView x = Widen.Rows(_x, first, last - first, scratch);
            RowView y = _out.Type == DType.F32 ? _out : Widen.InScratch(_out, first, scratch + (long)rows * _out.Columns);
            Rows(x, y, first, last);
            if (_out.Type != DType.F32) Widen.Store(y, _out, first, last - first);
        }
    }

    /// <summary>Resolves operands behind the first, which are F32.</summary>
    protected virtual void ResolveInputs(in RunContext run) { }

    /// <summary>Makes rows [first, end).</summary>
    /// <param name="x">The first operand.</param>
    /// <param name="y">The result.</param>
    /// <param name="first">First row.</param>
    /// <param name="end">Behind the last row.</param>
    protected abstract void Rows<T>(in RowView x, in RowView y, long first, long end) where T : unmanaged, ISimd<T>;

    private void Rows(in RowView x, in RowView y, long first, long end)
    {
        switch (_simd)
        {
            case SimdLevel.V512: Rows<V512>(x, y, first, end); break;
            case SimdLevel.V256: Rows<V256>(x, y, first, end); break;
            default: Rows<V128>(x, y, first, end); break;
        }
    }

    private static int RowsAtOnce(int columns) => Math.Max(1, ElementsAtOnce / columns);
}
