using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Weights that passes merge are held once, in the room that they take, however many plans use them.</summary>
public class MergedWeightTests
{
    private const int Width = 64;
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Backends => TestBackend.Names;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Plans_of_different_lengths_share_stacked_projections(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        var weights = new TestWeights();
        foreach (string part in (string[])["q", "k", "v"]) weights.Add(part, DType.BF16, new Shape(Width, Width), new float[Width * Width]);
        using (backend.Compile(Attention(weights, 1), Cancellation))
        {
            long held = backend.Memory.Weights;
            Assert.Equal(3 * Width * Width * sizeof(ushort), held);
            using (backend.Compile(Attention(weights, 17), Cancellation)) Assert.Equal(held, backend.Memory.Weights);
            Assert.Equal(held, backend.Memory.Weights);
        }
        Assert.Equal(0, backend.Memory.Weights);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Plans_of_different_lengths_share_gate_and_up(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        var weights = new TestWeights();
        foreach (string part in (string[])["gate", "up"]) weights.Add(part, DType.F16, new Shape(Width, Width), new float[Width * Width]);
        using (backend.Compile(Gated(1), Cancellation))
        {
            Assert.Equal(2 * Width * Width * sizeof(ushort), backend.Memory.Weights);
            using (backend.Compile(Gated(17), Cancellation)) Assert.Equal(2 * Width * Width * sizeof(ushort), backend.Memory.Weights);
        }
        Assert.Equal(0, backend.Memory.Weights);

        Graph Gated(int rows)
        {
            var g = new GraphBuilder("gated", weights);
            Tensor x = g.Input("x", DType.F32, new Shape(rows, Width));
            g.Output("y", g.SwiGlu(g.Linear(x, g.Weight("gate")), g.Linear(x, g.Weight("up"))));
            return g.Build();
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_part_that_is_not_finite_is_named(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        foreach (string bad in (string[])["q", "k", "v"])
        {
            var weights = new TestWeights();
            foreach (string part in (string[])["q", "k", "v"])
            {
                var values = new float[Width * Width];
                if (part == bad) values[77] = float.NaN;
                weights.Add(part, DType.F32, new Shape(Width, Width), values);
            }
            string message = Assert.Throws<CheckpointException>(() => backend.Compile(Attention(weights, 3), Cancellation)).Message;
            Assert.Contains($"'{bad}' [{Width}, {Width}] holds NaN at element 77:", message, StringComparison.Ordinal);
            Assert.Equal(0, backend.Memory.Weights);
        }
    }

    private static Graph Attention(TestWeights weights, int rows)
    {
        var g = new GraphBuilder("attention", weights);
        Tensor x = g.Input("x", DType.F32, new Shape(rows, Width));
        g.Output("y", g.FlashAttention(g.Linear(x, g.Weight("q")), g.Linear(x, g.Weight("k")), g.Linear(x, g.Weight("v")), 4, 4, 1));
        return g.Build();
    }
}
