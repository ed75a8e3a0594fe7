using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// a·bᵀ where a has a few rows and b many, or several such products: each output is a lane-wise dot product, parts are ranges of b's rows.
/// </summary>
internal sealed unsafe class MatMulKernel(MatMul op, KernelContext context) : Kernel(op)
{
    private readonly Operand _aOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _bOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly long _aRows = op.Inputs[0].Shape.Rows / op.Count, _bRows = op.Inputs[1].Shape.Rows / op.Count;
    private readonly bool _several = op.Count > 1;
    private readonly SimdLevel _simd = context.Simd;
    private readonly int _workers = context.Workers;
    private readonly WorkerScratch? _scratch = op.Inputs.All(i => i.Type == DType.F32) ? null
        : context.Scratch((op.Inputs[0].Shape.Rows + 1) * op.Inputs[0].Shape.Last * sizeof(float));
    private RowView _a, _b, _out;
    private int _parts;

    public override int Prepare(in RunContext run)
    {
        (_a, _b, _out) = (_aOperand.Resolve(run), _bOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = _a.Rows == 0 ? 0 : (int)Math.Min(_workers, _b.Rows);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_b.Rows, part, _parts);
        switch (_simd)
        {
            case SimdLevel.V512: Columns<V512>(first, end, part); break;
            case SimdLevel.V256: Columns<V256>(first, end, part); break;
            default: Columns<V128>(first, end, part); break;
        }
    }

    private void Columns<T>(long first, long end, int part) where T : unmanaged, ISimd<T>
    {
        float* scratch = _scratch is null ? null : (float*)_scratch.Slice(part);
        RowView a = Widen.Rows(_a, 0, _a.Rows, scratch);
        for (long n = first; n < end; n++)
        {
            float* b = Widen.Rows(_b, n, 1, scratch + _a.Rows * _a.Columns).Row(n);
            long product = _several ? n / _bRows : 0, firstRow = product * _aRows, endRow = _several ? firstRow + _aRows : a.Rows;
            for (long m = firstRow; m < endRow; m++)
                _out.Row(m)[n - product * _bRows] = RowReduction.Dot<T>(a.Row(m), b, a.Columns);
        }
    }
}
