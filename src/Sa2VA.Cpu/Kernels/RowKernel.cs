using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>A kernel that makes each row of its result from the same row of its operands; parts are row ranges.</summary>
internal abstract class RowKernel(Op op, KernelContext context) : Kernel(op)
{
    /// <summary>Below this many elements another thread costs more than it brings.</summary>
    private const int ElementsPerPart = 8192;

    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly SimdLevel _simd = context.Simd;
    private readonly int _workers = context.Workers;
    private int _parts;

    /// <summary>The result in this run.</summary>
    protected RowView Out { get; private set; }

    public override int Prepare(in RunContext run)
    {
        Out = _outOperand.Resolve(run);
        ResolveInputs(run);
        long wanted = Math.Max(1, Out.Rows * Out.Columns / ElementsPerPart);
        return _parts = (int)Math.Min(Math.Min(_workers, wanted), Out.Rows);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(Out.Rows, part, _parts);
        switch (_simd)
        {
            case SimdLevel.V512: Rows<V512>(first, end); break;
            case SimdLevel.V256: Rows<V256>(first, end); break;
            default: Rows<V128>(first, end); break;
        }
    }

    protected abstract void ResolveInputs(in RunContext run);

    protected abstract void Rows<T>(long first, long end) where T : unmanaged, ISimd<T>;
}
