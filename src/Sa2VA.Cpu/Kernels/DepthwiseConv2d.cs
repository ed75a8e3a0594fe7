using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>One k×k filter per channel: channels are the vector lanes, taps the inner loop.</summary>
internal sealed unsafe class DepthwiseConv2dKernel : RowKernel
{
    private readonly float* _weight, _bias;
    private readonly int _height, _width, _channels, _kernel;

    public DepthwiseConv2dKernel(DepthwiseConv2d op, KernelContext context) : base(op, context)
    {
        Shape s = op.Inputs[0].Shape;
        (_height, _width, _channels, _kernel) = (s[-3], s[-2], s.Last, op.Weight.Shape[2]);
        _weight = context.TapMajor(op.Weight);
        _bias = context.Vector(op.Bias);
    }

    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        for (long pixel = first; pixel < end; pixel++)
        {
            long place = pixel % (_height * _width);
            float* from = x.Row(pixel - place);
            int row = (int)place / _width, column = (int)place % _width;
            float* to = y.Row(pixel);
            int c = 0;
            for (; c <= _channels - T.Count; c += T.Count)
                T.Store(Taps(from, row, column, c, _bias == null ? T.Zero : T.Load(_bias + c), T.Count), to + c);
            int rest = _channels - c;
            if (rest > 0)
            {
                T bias = _bias == null ? T.Zero : VectorMath.LoadPartial<T>(_bias + c, rest);
                VectorMath.StorePartial(Taps(from, row, column, c, bias, rest), to + c, rest);
            }
        }
    }

    private T Taps<T>(float* map, int y, int x, int c, T sum, int lanes) where T : unmanaged, ISimd<T>
    {
        int half = _kernel / 2;
        int firstY = Math.Max(0, half - y), endY = Math.Min(_kernel, _height + half - y);
        int firstX = Math.Max(0, half - x), endX = Math.Min(_kernel, _width + half - x);
        for (int ky = firstY; ky < endY; ky++)
        {
            float* from = map + ((long)(y + ky - half) * _width + x - half) * _channels + c;
            float* weight = _weight + (long)ky * _kernel * _channels + c;
            for (int kx = firstX; kx < endX; kx++)
            {
                float* f = from + (long)kx * _channels, w = weight + (long)kx * _channels;
                sum = lanes == T.Count
                    ? T.MultiplyAdd(T.Load(f), T.Load(w), sum)
                    : T.MultiplyAdd(VectorMath.LoadPartial<T>(f, lanes), VectorMath.LoadPartial<T>(w, lanes), sum);
            }
        }
        return sum;
    }
}
