using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>What happens to a GEMM's sums before they are stored: out = residual + scale·activation(sum + bias).</summary>
internal readonly unsafe struct Epilogue(float* bias, Activation activation, float* scale, float* residual, int residualStride)
{
    public float* Bias { get; } = bias;
    public Activation Activation { get; } = activation;
    public float* Scale { get; } = scale;
    public float* Residual { get; } = residual;
    public int ResidualStride { get; } = residualStride;

    /// <summary>Finishes the sums of row <paramref name="row"/>, columns [column, column + count), and stores them.</summary>
    public void Store<T>(float* sums, float* to, long row, int column, int count) where T : unmanaged, ISimd<T>
    {
        float* bias = Bias == null ? null : Bias + column;
        float* scale = Scale == null ? null : Scale + column;
        float* residual = Residual == null ? null : Residual + row * ResidualStride + column;
        int c = 0;
        for (; c <= count - T.Count; c += T.Count)
        {
            T x = T.Load(sums + c);
            if (bias != null) x += T.Load(bias + c);
            x = VectorMath.Activate(x, Activation);
            if (scale != null) x *= T.Load(scale + c);
            if (residual != null) x += T.Load(residual + c);
            T.Store(x, to + c);
        }
        int rest = count - c;
        if (rest == 0) return;
        T tail = VectorMath.LoadPartial<T>(sums + c, rest);
        if (bias != null) tail += VectorMath.LoadPartial<T>(bias + c, rest);
        tail = VectorMath.Activate(tail, Activation);
        if (scale != null) tail *= VectorMath.LoadPartial<T>(scale + c, rest);
        if (residual != null) tail += VectorMath.LoadPartial<T>(residual + c, rest);
        VectorMath.StorePartial(tail, to + c, rest);
    }
}
