using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>The GEMM with its fused epilogue; parts are row ranges when there are more rows than outputs, panel ranges otherwise.</summary>
internal sealed unsafe class LinearKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly Operand? _residualOperand;
    private readonly PackedWeights _weights;
    private readonly float* _bias, _scale;
    private readonly Activation _activation;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly int _workers;
    private RowView _x, _out, _residual;
    private int _parts;
    private bool _byRows;

    public LinearKernel(Linear op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _residualOperand = op.Residual is null ? null : context.Operand(op.Residual);
        _weights = context.Packed(op.Weight);
        _bias = context.Vector(op.Bias);
        _scale = context.Vector(op.Scale);
        _activation = op.Activation;
        _scratch = context.Scratch(Gemm.ScratchBytes);
        (_simd, _workers) = (context.Simd, context.Workers);
    }

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        _residual = _residualOperand?.Resolve(run) ?? default;
        if (_x.Rows == 0) return 0;
        _byRows = _x.Rows >= _weights.N;
        return _parts = (int)Math.Min(_workers, _byRows ? (_x.Rows + 11) / 12 : _weights.Panels);
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

    private void Run<T>(int part) where T : unmanaged, ISimd<T>
    {
        var epilogue = new Epilogue(_bias, _activation, _scale, _residual.Floats, _residual.RowStride);
        (long first, long end) = Share(_byRows ? _x.Rows : _weights.Panels, part, _parts);
        if (_x.Rows == 1)
        {
            (int firstPanel, int endPanel) = _byRows ? (0, _weights.Panels) : ((int)first, (int)end);
            Gemm.RunRow<T>(_x.Floats, _weights, _out.Floats, firstPanel, endPanel, epilogue);
        }
        else
        {
            GemmPart share = _byRows ? new(first, end, 0, _weights.Panels) : new(0, _x.Rows, (int)first, (int)end);
            Gemm.Run<T>(new(_x.Floats, _x.RowStride), _weights, new(_out.Floats, _out.RowStride), share, epilogue, _scratch.Slice(part));
        }
    }
}
