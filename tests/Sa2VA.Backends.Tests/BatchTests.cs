using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Ops over several maps or objects in one run: each has, bit for bit, what it has alone, and where a run uses only the first ones, nothing
/// is computed of the others.
/// </summary>
public class BatchTests
{
    private const int Capacity = 5;

    /// <summary>An op of objects: the shapes of what one of them has, and how a number of them is recorded.</summary>
    /// <param name="Inputs">Shapes of one object's inputs, without the batch axis.</param>
    /// <param name="Result">Elements of one object's result.</param>
    /// <param name="Record">Records the op; inputs are [objects, …].</param>
    private sealed record Case(Shape[] Inputs, int Result, Func<GraphBuilder, Tensor[], Lengths, Tensor> Record)
    {
        /// <summary>One object's result as <see cref="GuardedOp.Narrow"/> wants it, of its inputs.</summary>
        public Func<float[][], float[]>? Narrow { get; init; }
    }

    /// <summary>Multiples of the run-time number of objects; null where all are used.</summary>
    private sealed class Lengths(RuntimeScalar? objects)
    {
        private readonly Dictionary<int, RuntimeScalar> _known = [];

        public RuntimeScalar? Of(GraphBuilder g, int each)
        {
            if (objects is null) return null;
            if (!_known.TryGetValue(each, out RuntimeScalar? length))
                _known.Add(each, length = g.Sum($"{each} each", Capacity * each, 0, new ScalarTerm(objects, each)));
            return length;
        }
    }

    private static readonly Dictionary<string, Case> Cases = new()
    {
        ["Conv2d"] = new([new(9, 7, 3)], 5 * 4 * 17, (g, t, _) => g.Conv2d(t[0], g.At("conv"), 17, 3, 2, 1)),
        ["Conv2d of patches"] = new([new(8, 12, 3)], 8 * 12 * 17, (g, t, _) => g.Conv2d(t[0], g.At("conv"), 17, 3, 1, 1)),
        ["DepthwiseConv2d"] = new([new(5, 6, 19)], 5 * 6 * 19, (g, t, _) => g.DepthwiseConv2d(t[0], g.At("depth"), 7)),
        ["ConvTranspose2d"] = new([new(5, 3, 19)], 10 * 6 * 8, (g, t, _) => g.ConvTranspose2d(t[0], g.At("up"), 8)),
        ["ConvTranspose2d with a map for all"] = new([new(5, 3, 19)], 10 * 6 * 8, (g, t, _) =>
            g.ConvTranspose2d(t[0], g.At("up"), 8, g.Constant("all", new Shape(10, 6, 8), to => TestValues.Random(9, 480).CopyTo(to)))),
        ["ConvTranspose2d with a map for each"] = new([new(5, 3, 19), new(10, 6, 8)], 10 * 6 * 8, (g, t, _) =>
            g.ConvTranspose2d(t[0], g.At("up"), 8, t[1])),
        ["Resize up"] = new([new(5, 7, 1)], 19 * 23, (g, t, _) => g.Resize(t[0], 19, 23, ResizeMode.Bilinear)),
        ["Resize down"] = new([new(13, 9, 3)], 4 * 5 * 3, (g, t, _) => g.Resize(t[0], 4, 5, ResizeMode.BilinearAntialias)),
        ["MatMul"] = new([new(3, 41), new(67, 41)], 3 * 67, (g, t, _) => g.MatMul(t[0], t[1])),
        ["MatMul over a map"] = new([new(1, 41), new(6, 7, 41)], 42, (g, t, _) => g.MatMul(t[0], t[1])),
        ["MaskSelect"] = new([new(1, 4)], 1, (g, t, _) => Floats(g, g.MaskSelect(Rows(g, t[0])))),
        ["Where"] = new([new(1, 1), new(1, 21), new(1, 21)], 21, (g, t, _) => g.Where(Rows(g, t[0]), Rows(g, t[1]), Rows(g, t[2]))),
        ["Where with an alternative for all"] = new([new(1, 1), new(1, 21)], 21, (g, t, _) => g.Where(Rows(g, t[0]), Rows(g, t[1]),
            g.Constant("one", new Shape(1, 21), to => TestValues.Random(8, 21).CopyTo(to)))),
        ["Gather by a choice"] = new([new(4, 33), new(1, 4)], 33, (g, t, _) => g.Gather(t[0], g.MaskSelect(Rows(g, t[1])))),
        ["Gather of a product"] = new([new(4, 33), new(50, 33), new(1, 4)], 50, (g, t, _) =>
            g.Gather(g.MatMul(t[0], t[1]), g.MaskSelect(Rows(g, t[2])))),
        ["Concat"] = new([new(2, 9), new(1, 9), new(5, 9)], 8 * 9, (g, t, n) => g.Concat([.. t.Select(x => Lines(g, x, n))],
n.Of(g, 8),
            t[0].Shape[0])),
        ["FlashAttention"] = new([new(37, 24), new(130, 24), new(130, 16)], 37 * 16, (g, t, n) =>
            g.FlashAttention(Lines(g, t[0], n), Lines(g, t[1], n), Lines(g, t[2], n), 2, 2, 0.3f, groups: t[0].Shape[0]))
        {
            Narrow = x => new AttentionReference(2, 2, 12, 8) { Scale = 0.3f }.Narrow(x[0], x[1], x[2]),
        },
        ["FlashAttention of one query"] = new([new(1, 24), new(97, 24)], 24, (g, t, n) =>
            g.FlashAttention(Lines(g, t[0], n), Lines(g, t[1], n), Lines(g, t[1], n), 3, 3, 0.3f, groups: t[0].Shape[0]))
        {
            Narrow = x => new AttentionReference(3, 3, 8, 8) { Scale = 0.3f }.Narrow(x[0], x[1], x[1]),
        },
    };

    public static TheoryData<string, string> NamesAndFamilies() =>
        [.. from name in Cases.Keys from family in TestBackend.Families select (name, family.Data)];

    public static TheoryData<string> Families => TestBackend.Families;

    [Theory]
    [MemberData(nameof(NamesAndFamilies))]
    public void Each_has_what_it_has_alone(string name, string family)
    {
        Case c = Cases[name];
        float[][][] values = [.. Enumerable.Range(0, Capacity).Select(b =>
            c.Inputs.Select((s, i) => TestValues.Random(100 * b + i, s.Count)).ToArray())];
        float[] alone = [];
        foreach (float[][] own in values)
            alone = [.. alone, .. Op(c, [own]).Once(c.Result, (g, t, _) => c.Record(g, t, new Lengths(null)), family)];
        foreach (int objects in FullRun.IsAsked ? (int[])[1, 2, 3, Capacity] : [2, Capacity])
            Op(c, values[..objects]).Satisfies<float>(objects * c.Result, (g, t, _) => c.Record(g, t, new Lengths(null)),
                y => Same(alone, y, $"{objects} objects"), family);
        foreach (int objects in FullRun.IsAsked ? (int[])[0, 1, 4, Capacity] : [0, 1, 4])
            Op(c, values, objects).Scalar("objects", Capacity, objects).Satisfies<float>(objects * c.Result,
                (g, t, s) => c.Record(g, [.. t.Select(x => g.Reshape(x, x.Shape, s[0]))], new Lengths(s[0])),
                y => Same(alone, y, $"{objects} used"), family);
    }

    [Fact]
    public void Segments_that_differ_stand_under_each_other()
    {
        float[] a = TestValues.Random(1, 9 * 40), b = TestValues.Random(2, 5 * 40);
        int[] ofA = [4, 0, 5, 0], ofB = [1, 3, 0, 1];
        var expected = new List<float>();
        int nextA = 0, nextB = 0;
        for (int s = 0; s < 4; s++)
        {
            expected.AddRange(a[(nextA * 40)..((nextA += ofA[s]) * 40)]);
            expected.AddRange(b[(nextB * 40)..((nextB += ofB[s]) * 40)]);
        }
        new GuardedOp().Floats(new Shape(9, 40), a).Floats(new Shape(5, 40), b).Ints(ofA).Ints(ofB)
            .Gives<float>([.. expected], (g, t) => g.Concat([t[0], t[1]], [t[2], t[3]]));
        // Behind a run-time length, and large enough for several workers.
        float[] large = TestValues.Random(3, 700 * 40), small = TestValues.Random(4, 30 * 40);
        expected = [.. large[..(299 * 40)], .. small[..(7 * 40)], .. large[(299 * 40)..(650 * 40)], .. small[(7 * 40)..(20 * 40)]];
        new GuardedOp().Floats(new Shape(700, 40), large).Floats(new Shape(30, 40), small).Ints(299, 351, 0).Ints(7, 13, 0)
            .Scalar("large", 700, 650).Scalar("small", 30, 20).Gives<float>([.. expected], (g, t, s) =>
                g.Concat([g.Reshape(t[0], t[0].Shape, s[0]), g.Reshape(t[1], t[1].Shape, s[1])], [t[2], t[3]],
                    g.Sum("all", 730, 0, s[0], s[1])));
    }

    [Theory]
    [InlineData(4, 4)]
    [InlineData(-1, 10)]
    [InlineData(5, 5)]
    public void Segments_that_do_not_fit_are_refused(int first, int second)
    {
        var device = new GuardedOp().Floats(new Shape(9, 3), new float[27]).Ints(first, second);
        device.IsRefused<float>(27, (g, t, _) => g.Concat([t[0]], [t[1]]), "rows of part 0");
    }

    [Fact]
    public void Repeated_rows_begin_anew()
    {
        float[] x = TestValues.Random(1, 7 * 900);
        new GuardedOp().Floats(new Shape(7, 900), x).Gives<float>([.. x, .. x, .. x], (g, t) => g.Repeat(t[0], 3));
        new GuardedOp().Floats(new Shape(7, 900), x).Scalar("rows", 35, 14)
            .Gives<float>([.. x, .. x], (g, t, s) => g.Repeat(t[0], 5, s[0]));
        float[] column = [.. Enumerable.Range(0, 14).Select(r => x[r % 7 * 900 + 5])];
        new GuardedOp().Floats(new Shape(7, 900), x).Gives(column, (g, t) => g.Repeat(g.SliceChannels(t[0], 5, 1), 2));
        var op = new GuardedOp().Floats(new Shape(7, 900), x).Scalar("rows", 35, 15);
        op.IsRefused<float>(x.Length, (g, t, s) => g.Repeat(t[0], 5, s[0]));
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void Objects_of_different_age_see_their_own_keys(string family)
    {
        // Query rows of equal parts, keys of which each object has as many as it has; two objects are not there.
        float[] q = TestValues.Random(1, 6 * 40 * 16), k = TestValues.Random(2, 500 * 16);
        int[] keys = [200, 0, 33, 131, 0, 0];
        float[] expected = [];
        for (int b = 0, at = 0; b < 4; at += keys[b++])
        {
            if (keys[b] == 0) expected = [.. expected, .. new float[40 * 16]];
            else
                expected = [.. expected, .. new GuardedOp().Floats(new Shape(40, 16), q[(b * 640)..((b + 1) * 640)])
                    .Floats(new Shape(keys[b], 16), k[(at * 16)..((at + keys[b]) * 16)])
                    .Once(640, (g, t, _) => g.FlashAttention(t[0], t[1], t[1], 2, 2, 0.3f), family)];
        }
        Op(160).Gives(expected, Record, family);
        Assert.Throws<GraphException>(() => Op(170).Gives(expected, Record, family));

        GuardedOp Op(int rows) =>
            new GuardedOp().Floats(new Shape(240, 16), q).Floats(new Shape(500, 16), k).Ints(keys).Scalar("rows", 240, rows);

        static Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) =>
            g.FlashAttention(g.Reshape(t[0], t[0].Shape, s[0]), t[1], t[1], new AttentionSegments(t[2]), 2, 2, 0.3f);
    }

    private static GuardedOp Op(Case c, float[][][] objects, int used = Capacity)
    {
        var op = new GuardedOp(Weights)
        {
            Narrow = c.Narrow is { } narrow ? () => [.. objects.Take(used).SelectMany(narrow)] : null,
        };
        for (int i = 0; i < c.Inputs.Length; i++)
            op.Floats(new Shape([objects.Length, .. c.Inputs[i].ToArray()]), [.. objects.SelectMany(o => o[i])]);
        return op;
    }

    /// <summary>[objects, 1, n] as [objects, n].</summary>
    private static Tensor Rows(GraphBuilder g, Tensor x) => g.Reshape(x, new Shape(x.Shape[0], x.Shape.Last), x.Length);

    /// <summary>[objects, m, n] as [objects·m, n].</summary>
    private static Tensor Lines(GraphBuilder g, Tensor x, Lengths lengths) =>
        g.Reshape(x, new Shape((int)x.Shape.Rows, x.Shape.Last), lengths.Of(g, x.Shape[1]));

    private static Tensor Floats(GraphBuilder g, Tensor index) =>
        g.Copy(g.Reshape(index, new Shape(index.Shape[0], 1), index.Length), DType.F32);

    private static void Same(float[] alone, float[] y, string what)
    {
        for (int i = 0; i < y.Length; i++)
            if (BitConverter.SingleToInt32Bits(y[i]) != BitConverter.SingleToInt32Bits(alone[i]))
                Assert.Fail($"{what}: element {i} is {y[i]:R}, alone {alone[i]:R}.");
    }

    private static TestWeights Weights { get; } = Make();

    private static TestWeights Make()
    {
        var weights = new TestWeights();
        int seed = 50;
        foreach ((string name, Shape shape) in ((string, Shape)[])
            [("conv.weight", new(17, 3, 3, 3)), ("conv.bias", new(17)), ("depth.weight", new(19, 1, 7, 7)), ("depth.bias", new(19)),
            ("up.weight", new(19, 8, 2, 2)), ("up.bias", new(8))])
            weights.Add(name, DType.BF16, shape, TestValues.Random(++seed, shape.Count));
        return weights;
    }
}
