using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>
/// An op on made-up numbers, with its definition in plain loops: in float64 that is the reference, in float32 the measure of what rounding
/// costs.
/// </summary>
/// <param name="op">The op's name.</param>
/// <param name="what">Its shapes and choices, for people.</param>
internal abstract class OpCase(string op, string what)
{
    private readonly List<(DType Type, Shape Shape, Array Values)> _inputs = [];
    private readonly Dictionary<string, (Shape Shape, float[] Values)> _weights = [];

    public string Op => op;

    public string What => what;

    /// <summary>Inputs in the order of their declaration: floats, 32-bit integers or bytes.</summary>
    public IReadOnlyList<(DType Type, Shape Shape, Array Values)> Inputs => _inputs;

    public IReadOnlyDictionary<string, (Shape Shape, float[] Values)> Weights => _weights;

    /// <summary>
    /// True for shapes that are there for the sake of tiles of tensor cores; with float32 they would be the same as others.
    /// </summary>
    public virtual bool IsOfBFloat16Alone => false;

    /// <summary>Bits that a device of few may store its matrices in; with 16, the case is none for such a device.</summary>
    public int LeastBits { get; init; } = 16;

    /// <summary>The input that is a state, which is then the result; null for ops that have none.</summary>
    public virtual int? StateInput => null;

    /// <summary>Who copies the state to where it is read.</summary>
    public virtual StateCopy StateCopy => StateCopy.None;

    /// <summary>Records the op; its result becomes the output, unless it is a state.</summary>
    public abstract Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x);

    /// <summary>What it must give, row by row.</summary>
    public abstract T[] Result<T>(CaseValues<T> x) where T : IBinaryFloatingPointIeee754<T>;

    /// <summary>An input of numbers in ±<paramref name="scale"/>.</summary>
    protected void Floats(Shape shape, float scale = 1) => _inputs.Add((DType.F32, shape, Numbers(shape, scale)));

    /// <summary>An input of given numbers.</summary>
    protected void Floats(Shape shape, float[] values) => _inputs.Add((DType.F32, shape, values));

    protected void Integers(params int[] values) => _inputs.Add((DType.I32, new Shape(values.Length), values));

    protected void Integers(Shape shape, params int[] values) => _inputs.Add((DType.I32, shape, values));

    /// <summary>A picture, with hard edges.</summary>
    protected void Bytes(Shape shape)
    {
        var values = new byte[shape.Count];
        new Random(_inputs.Count).NextBytes(values);
        for (int i = 0; i < values.Length; i += 7) values[i] = (byte)(i % 2 * 255);
        _inputs.Add((DType.U8, shape, values));
    }

    /// <summary>A weight of numbers in ±<paramref name="scale"/>.</summary>
    protected void Weight(string name, Shape shape, float scale = 1) => _weights.Add(name, (shape, Numbers(shape, scale)));

    /// <summary>A weight of given numbers.</summary>
    protected void Weight(string name, Shape shape, float[] values) => _weights.Add(name, (shape, values));

    /// <summary>Numbers that are the same in every run and differ from input to input.</summary>
    private float[] Numbers(Shape shape, float scale)
    {
        var random = new Random(_inputs.Count + 100 * _weights.Count);
        var values = new float[shape.Count];
        for (int i = 0; i < values.Length; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * scale;
        return values;
    }
}

/// <summary>Who copies a state that ops write to where it is read.</summary>
internal enum StateCopy
{
    /// <summary>Nobody.</summary>
    None,

    /// <summary>The queue on which the ops ran.</summary>
    ByItsQueue,

    /// <summary>Another queue, which waits for that one.</summary>
    ByAnotherQueue,
}

/// <summary>A case's numbers as <typeparamref name="T"/>.</summary>
internal sealed class CaseValues<T>(OpCase of, CaseRun run) where T : IBinaryFloatingPointIeee754<T>
{
    /// <summary>A float input, as it is stored.</summary>
    public T[] this[int input] => [.. ((float[])of.Inputs[input].Values).Select(v => T.CreateChecked(run.Stored(v)))];

    public int[] Integers(int input) => (int[])of.Inputs[input].Values;

    public byte[] Bytes(int input) => (byte[])of.Inputs[input].Values;

    /// <summary>A weight, as it is stored: matrices as inputs are, vectors as they are.</summary>
    public T[] Weight(string name)
    {
        (Shape shape, float[] values) = of.Weights[name];
        return [.. (shape.Rank > 1 ? run.Stored(values, shape.Last) : values).Select(T.CreateChecked)];
    }
}
