using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Convolution as a GEMM: each part gathers the patches of a block of output pixels (im2col) and multiplies them at once.
/// </summary>
internal sealed unsafe class Conv2dKernel : Kernel
{
    /// <summary>Floats of gathered patches per block: they stay in L2.</summary>
    private const int PatchFloats = 128 * 1024;

    private readonly Operand _xOperand, _outOperand;
    private readonly PackedWeights _weights;
    private readonly float* _bias;
    private readonly int _inHeight, _inWidth, _channels, _outWidth, _outPixels, _kernel, _stride, _padding, _blockRows;
    private readonly long _gemmBytes;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly FloatBlocks? _blocks;
    private readonly int _workers;
    private RowView _x, _out;
    private int _parts;

    public Conv2dKernel(Conv2d op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _weights = context.Packed(op, op.Weight, WeightLayout.ChannelsLast);
        _bias = context.Vector(op.Bias);
        Shape x = op.Inputs[0].Shape;
        (_inHeight, _inWidth, _channels) = (x[-3], x[-2], x.Last);
        (_outWidth, _outPixels) = (op.Output.Shape[-2], op.Output.Shape[-3] * op.Output.Shape[-2]);
        (_kernel, _stride, _padding) = (op.Kernel, op.Stride, op.Padding);
        _blockRows = Math.Clamp(PatchFloats / _weights.K, 12, 192) / 12 * 12;
        _gemmBytes = Gemm.ScratchBytes(_weights);
        _scratch = context.Scratch(_gemmBytes + (long)_blockRows * _weights.K * sizeof(float));
        (_simd, _blocks, _workers) = (context.Simd, context.Blocks, context.Workers);
    }

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = (int)Math.Min(_workers, (_out.Rows + 11) / 12);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_out.Rows, part, _parts);
        byte* scratch = _scratch.Slice(part);
        float* patches = (float*)(scratch + _gemmBytes);
        for (long row = first; row < end; row += _blockRows)
        {
            int rows = (int)Math.Min(_blockRows, end - row);
            for (int i = 0; i < rows; i++) GatherPatch(row + i, patches + (long)i * _weights.K);
            var a = new MatrixRows(patches, _weights.K);
            var epilogue = new Epilogue(MatrixRows.Of(_out, row), _out.Columns, _bias, Activation.None, null, default);
            var whole = new GemmPart(0, rows, 0, _weights.Panels);
            switch (_simd)
            {
                case SimdLevel.V512: Gemm.Run<V512, Epilogue>(a, _weights, whole, epilogue, scratch, _blocks); break;
                case SimdLevel.V256: Gemm.Run<V256, Epilogue>(a, _weights, whole, epilogue, scratch, _blocks); break;
                default: Gemm.Run<V128, Epilogue>(a, _weights, whole, epilogue, scratch, _blocks); break;
            }
        }
    }

    /// <summary>The inputs of one output pixel in the order (ky, kx, channel); zeros outside the map.</summary>
    private void GatherPatch(long row, float* to)
    {
        (long map, long pixel) = Math.DivRem(row, _outPixels);
        int top = (int)pixel / _outWidth * _stride - _padding, left = (int)pixel % _outWidth * _stride - _padding;
        int firstX = Math.Max(0, -left), endX = Math.Min(_kernel, _inWidth - left);
        int width = _kernel * _channels;
        for (int ky = 0; ky < _kernel; ky++, to += width)
        {
            int y = top + ky;
            var taps = new Span<float>(to, width);
            if (y < 0 || y >= _inHeight || firstX >= endX)
            {
                taps.Clear();
                continue;
            }
            taps[..(firstX * _channels)].Clear();
            taps[(endX * _channels)..].Clear();
            Widen.Row(_x.Pointer, _x.Type, ((map * _inHeight + y) * _inWidth + left + firstX) * _channels,
                taps[(firstX * _channels)..(endX * _channels)]);
        }
    }
}
