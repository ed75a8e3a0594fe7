using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// One op on every backend of <see cref="TestBackend.All"/>. Inputs lie between rows of NaN, so a read outside of them shows in the result;
/// the output begins as NaN and is followed by a canary; all configurations of a family must give the same bits, and a second run too.
/// Ops of floats run once more in BF16 (<see cref="NarrowOp"/>).
/// </summary>
internal sealed class GuardedOp(IWeightSource? weights = null)
{
    private readonly List<GuardedInput> _inputs = [];
    private readonly List<(string Name, int Max, int Value)> _scalars = [];

    /// <summary>Records the op under test: its inputs as added, its run-time lengths, its output.</summary>
    public delegate Tensor Recorder(GraphBuilder g, Tensor[] inputs, RuntimeScalar[] scalars);

    /// <summary>False if what is recorded stores numbers on the way, so that in BF16 it is rounded more than once.</summary>
    public bool IsOneOp { get; init; } = true;

    /// <summary>
    /// What plain loops give in BF16 where more than the result is rounded on the way, as between the two products of attention; null where
    /// the result alone is. Asked once, whatever the number of families.
    /// </summary>
    public Func<float[]>? Narrow
    {
        get;
        init
        {
            if (value is null) return;
            var kept = new Lazy<float[]>(value);
            field = () => kept.Value;
        }
    }

    /// <summary>Values, rounded to the float type that they are stored in.</summary>
    public GuardedOp Floats(Shape shape, float[] values, DType type = DType.F32) => Add(type, shape, values);

    public GuardedOp Ints(params int[] values) => Add(DType.I32, new Shape(values.Length), values);

    public GuardedOp Ints(Shape shape, int[] values) => Add(DType.I32, shape, values);

    public GuardedOp Bytes(Shape shape, byte[] values) => Add(DType.U8, shape, values);

    /// <summary>A run-time length.</summary>
    public GuardedOp Scalar(string name, int max, int value)
    {
        _scalars.Add((name, max, value));
        return this;
    }

    /// <summary>Accepts the result by the float64 rule.</summary>
    public void Follows(double[] reference, float[] naive, string what, Func<GraphBuilder, Tensor[], Tensor> record) =>
        Follows(reference, naive, what, (g, t, _) => record(g, t));

    /// <inheritdoc cref="Follows(double[], float[], string, Func{GraphBuilder, Tensor[], Tensor})"/>
    public void Follows(double[] reference, float[] naive, string what, Recorder record) =>
        Satisfies<float>(reference.Length, record, y => Float64Rule.Check(reference, naive, y, what));

    /// <summary>Accepts nothing but these values.</summary>
    public void Gives<T>(T[] expected, Func<GraphBuilder, Tensor[], Tensor> record, string? family = null) where T : unmanaged =>
        Gives(expected, (g, t, _) => record(g, t), family);

    /// <inheritdoc cref="Gives{T}(T[], Func{GraphBuilder, Tensor[], Tensor}, string)"/>
    public void Gives<T>(T[] expected, Recorder record, string? family = null) where T : unmanaged =>
        Satisfies<T>(expected.Length, record, y => Assert.Equal(expected, y), family);

    /// <summary>Accepts what <paramref name="check"/> does not refuse; it sees the valid elements of each family's result once.</summary>
    /// <param name="count">Valid elements.</param>
    /// <param name="record">The op.</param>
    /// <param name="check">What is asked of them.</param>
    /// <param name="family">The family that runs it; null for all.</param>
    public void Satisfies<T>(int count, Recorder record, Action<T[]> check, string? family = null) where T : unmanaged
    {
        var run = new OpRun(weights ?? new TestWeights(), _inputs, _scalars);
        IEnumerable<TestBackend> asked = TestBackend.All.Where(b => family is null || b.Family == family);
        NarrowOp? narrow = IsOneOp && typeof(T) == typeof(float) ? new(run, Narrow) : null;
        foreach (IGrouping<string, TestBackend> of in asked.GroupBy(b => b.Family))
        {
            T[]? first = null;
            foreach (TestBackend configuration in of)
            {
                T[] result = run.On<T>(configuration, Precision.Float32, record, count, narrow is null || !configuration.IsSlow);
                if (first is null) check(first = result);
                OpRun.AssertSameBits(first, result, $"with {configuration.Name} instead of {of.First().Name}");
            }
            narrow?.Check(of, record, count);
        }
    }

    /// <summary>
    /// The valid elements of one run on a family's first configuration, for tests whose subject is another run: what was asked of this one
    /// has been asked elsewhere.
    /// </summary>
    public float[] Once(int count, Recorder record, string family)
    {
        using IBackend backend = TestBackend.All.First(b => b.Family == family).ForOneOp();
        return new OpRun(weights ?? new TestWeights(), _inputs, _scalars).Once<float>(backend, record, count);
    }

    /// <summary>
    /// As <see cref="Satisfies{T}"/> on a family, but on a virtual GPU, which takes its time, <see cref="Once"/>: for the many cases of a
    /// kind of which a few are looked at from all sides. With <c>./test --full</c> all of them are.
    /// </summary>
    public void Briefly(int count, Recorder record, Action<float[]> check, string family)
    {
        if (family == VirtualGpus.Family && !FullRun.IsAsked) check(Once(count, record, family));
        else Satisfies(count, record, check, family);
    }

    /// <summary>Accepts nothing but a refusal whose message says all of this, from every configuration.</summary>
    public void IsRefused<T>(int count, Recorder record, params string[] says) where T : unmanaged
    {
        var run = new OpRun(weights ?? new TestWeights(), _inputs, _scalars);
        foreach (TestBackend configuration in TestBackend.All)
        {
            using IBackend backend = configuration.ForOneOp();
            string message = Assert.Throws<GraphException>(() => run.Twice<T>(backend, record, count)).Message;
            foreach (string part in says) Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }

    private GuardedOp Add(DType type, Shape shape, Array values)
    {
        Assert.Equal(shape.Count, values.LongLength);
        _inputs.Add(new GuardedInput(type, shape, values));
        return this;
    }
}
