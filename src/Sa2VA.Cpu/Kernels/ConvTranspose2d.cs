using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Each input pixel times [4·Co, Ci] gives the four output pixels it alone feeds; they are scattered with bias and residual.
/// </summary>
internal sealed unsafe class ConvTranspose2dKernel : Kernel
{
    private const int BlockRows = 96;

    private readonly Operand _xOperand, _outOperand;
    private readonly Operand? _residualOperand;
    private readonly PackedWeights _weights;
    private readonly float* _bias;
    private readonly int _inWidth, _channels;
    private readonly long _gemmBytes;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly FloatBlocks? _blocks;
    private readonly int _workers;
    private RowView _x, _out, _residual;
    private int _parts;

    public ConvTranspose2dKernel(ConvTranspose2d op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _residualOperand = op.Residual is null ? null : context.Operand(op.Residual);
        _weights = context.Packed(op, op.Weight, WeightLayout.Transposed2x2);
        _bias = context.Vector(op.Bias);
        (_inWidth, _channels) = (op.Inputs[0].Shape[-2], op.Output.Shape.Last);
        _gemmBytes = Gemm.ScratchBytes(_weights);
        _scratch = context.Scratch(_gemmBytes + (long)BlockRows * _weights.N * sizeof(float));
        (_simd, _blocks, _workers) = (context.Simd, context.Blocks, context.Workers);
    }

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        _residual = _residualOperand?.Resolve(run) ?? default;
        return _parts = (int)Math.Min(_workers, (_x.Rows + 11) / 12);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_x.Rows, part, _parts);
        byte* scratch = _scratch.Slice(part);
        float* products = (float*)(scratch + _gemmBytes);
        int n = _weights.N;
        for (long row = first; row < end; row += BlockRows)
        {
            int rows = (int)Math.Min(BlockRows, end - row);
            var a = MatrixRows.Of(_x, row);
            var epilogue = new Epilogue(new MatrixRows(products, n), n, null, Activation.None, null, default);
            var whole = new GemmPart(0, rows, 0, _weights.Panels);
            switch (_simd)
            {
                case SimdLevel.V512: Gemm.Run<V512, Epilogue>(a, _weights, whole, epilogue, scratch, _blocks); break;
                case SimdLevel.V256: Gemm.Run<V256, Epilogue>(a, _weights, whole, epilogue, scratch, _blocks); break;
                default: Gemm.Run<V128, Epilogue>(a, _weights, whole, epilogue, scratch, _blocks); break;
            }
            for (int i = 0; i < rows; i++) Scatter(row + i, products + (long)i * n);
        }
    }

    private void Scatter(long pixel, float* products)
    {
        // Maps follow each other without a gap, so that rows count on from one to the next, and residuals repeat.
        (long y, long x) = Math.DivRem(pixel, _inWidth);
        for (int tap = 0; tap < 4; tap++, products += _channels)
        {
            long target = (2 * y + tap / 2) * (2 * _inWidth) + 2 * x + tap % 2;
            float* to = _out.Row(target);
            float* residual = _residual.Pointer == null ? null : _residual.Row(target % _residual.Rows);
            for (int c = 0; c < _channels; c += Vector<float>.Count)
            {
                if (c + Vector<float>.Count > _channels)
                {
                    for (; c < _channels; c++) to[c] = products[c] + (_bias == null ? 0 : _bias[c]) + (residual == null ? 0 : residual[c]);
                    break;
                }
                Vector<float> v = Vector.Load(products + c);
                if (_bias != null) v += Vector.Load(_bias + c);
                if (residual != null) v += Vector.Load(residual + c);
                v.Store(to + c);
            }
        }
    }
}
