using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>
/// A case, run. In a backend of BF16, floats go in and come out rounded, so that its kernels meet operands of 16 bits wherever
/// <see cref="StoragePolicy"/> allows them.
/// </summary>
internal sealed class CaseRun
{
    private readonly Precision _precision;
    private readonly int _bits;

    public CaseRun(OpCase of, IBackend backend, CancellationToken cancellation)
    {
        (_precision, _bits) = (backend.Precision, Math.Max(of.LeastBits, backend.Precision.WeightBits()));
        var g = new GraphBuilder(of.Op, new CaseWeights(of, Stored));
        Tensor[] declared = [.. of.Inputs.Select((x, i) => of.StateInput == i ? g.State($"x{i}", x.Type, x.Shape)
            : g.Input($"x{i}", x.Type == DType.F32 ? _precision.BoundaryType() : x.Type, x.Shape))];
        using GraphBuilder.BitsScope? _ = of.LeastBits < 16 ? g.AllowWeightBits(of.LeastBits) : null;
        Tensor y = of.Record(g, [.. declared.Select(t => g.As(t.Type == DType.BF16 ? DType.F32 : t.Type, t))]);
        IsNarrow = _precision.IsNarrow() && y.Type == DType.F32 && of.StateInput is null;
        if (of.StateInput is null) y = g.Output("y", IsNarrow ? g.Copy(y, DType.BF16) : y);
        using var run = new GraphRun(backend, g.Build(), cancellation);
        for (int i = 0; i < declared.Length; i++)
            switch (of.Inputs[i].Values)
            {
                case float[] floats: run.Write(declared[i], Array.ConvertAll(floats, Stored)); break;
                case int[] integers: run.Write(declared[i], integers); break;
                case byte[] bytes: run.Write(declared[i], bytes); break;
            }
        run.Execute();
        if (of.StateCopy != StateCopy.None) run.Copy(backend, y, of.StateCopy == StateCopy.ByAnotherQueue);
        if (y.Type.IsFloat()) Floats = run.Floats(y);
        else Integers = y.Type == DType.U8 ? Array.ConvertAll(run.Bytes(y), b => (long)b) : run.Integers(y);
    }

    /// <summary>True if the result was rounded once more, to 16 bits.</summary>
    public bool IsNarrow { get; }

    /// <summary>The result, if it is one of floats.</summary>
    public float[]? Floats { get; }

    /// <summary>The result, if it is one of integers.</summary>
    public long[]? Integers { get; }

    /// <summary>A number as the device gets it.</summary>
    public float Stored(float value) => _precision.IsNarrow() ? BFloat16.Round(value) : value;

    /// <summary>A matrix as the device multiplies it: rounded, and in few bits where case and precision have so few.</summary>
    public float[] Stored(float[] values, int depth)
    {
        float[] stored = Array.ConvertAll(values, Stored);
        if (_bits == 16) return stored;
        var codes = new sbyte[depth];
        var scales = new BFloat16[GroupQuantization.Groups(depth)];
        for (int row = 0; row < stored.Length; row += depth)
        {
            GroupQuantization.Quantize(stored.AsSpan(row, depth), _bits, codes, scales);
            for (int k = 0; k < depth; k++)
                stored[row + k] = GroupQuantization.Value(codes[k], scales[k / GroupQuantization.Group]).ToSingle();
        }
        return stored;
    }
}
