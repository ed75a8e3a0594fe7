using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>Single ops on rows: <c>op.linear</c>, norms, activations, attention, rotary codes.</summary>
internal static class OpStages
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("op.linear", c => Rows(c, (g, x) => g.Linear(x, g.Weight("weight"), g.HasWeight("bias") ? g.Weight("bias") : null)));
        stages.Add("op.layer_norm", c => Rows(c, (g, x) => g.LayerNorm(x, g.At(""), Epsilon(c))));
        stages.Add("op.rms_norm", c => Rows(c, (g, x) => g.RmsNorm(x, g.At(""), Epsilon(c))));
        stages.Add("op.softmax", c => Rows(c, (g, x) => g.Softmax(x)));
        stages.Add("op.gelu_erf", c => Rows(c, (g, x) => g.Map(x, Activation.Gelu)));
        stages.Add("op.gelu_tanh", c => Rows(c, (g, x) => g.Map(x, Activation.GeluTanh)));
        stages.Add("op.silu", c => Rows(c, (g, x) => g.Map(x, Activation.Silu)));
        stages.Add("op.sigmoid", c => Rows(c, (g, x) => g.Map(x, Activation.Sigmoid)));
        stages.Add("op.relu", c => Rows(c, (g, x) => g.Map(x, Activation.Relu)));
        stages.Add("op.swiglu", SwiGlu);
        stages.Add("op.attention", Attention);
        stages.Add("op.rope", Rope);
        stages.Add("op.axial_rope", AxialRope);
    }

    private static float Epsilon(StageContext c) => (float)c.Golden.Params.Number("eps", 0, 1);

    /// <summary>in.x → out.y, shapes as the op infers them.</summary>
    private static StageOutputs Rows(StageContext c, Func<GraphBuilder, Tensor, Tensor> record)
    {
        GoldenTensor input = c.In("x");
        GraphBuilder g = c.Graph();
        Tensor x = g.Input("x", DType.F32, input.Shape);
        Tensor y = g.Output("y", record(g, x));
        using var run = new GraphRun(c, g.Build());
        run.Write(x, input.Floats).Execute();
        return new StageOutputs().Add("y", run.Floats(y), y.Shape.ToArray());
    }

    private static StageOutputs SwiGlu(StageContext c)
    {
        GoldenTensor gate = c.In("gate"), up = c.In("up");
        GraphBuilder g = c.Graph();
        Tensor a = g.Input("gate", DType.F32, gate.Shape), b = g.Input("up", DType.F32, up.Shape);
        Tensor y = g.Output("y", g.SwiGlu(a, b));
        using var run = new GraphRun(c, g.Build());
        run.Write(a, gate.Floats).Write(b, up.Floats).Execute();
        return new StageOutputs().Add("y", run.Floats(y), y.Shape.ToArray());
    }

    private static StageOutputs Attention(StageContext c)
    {
        GoldenTensor q = c.In("q"), k = c.In("k"), v = c.In("v");
        int[] qd = q.DimsOf(3), kd = k.DimsOf(3);
        (int heads, int queries, int dim) = (qd[0], qd[1], qd[2]);
        (int kvHeads, int keys) = (kd[0], kd[1]);
        k.Expect(kvHeads, keys, dim);
        v.Expect(kvHeads, keys, dim);
        bool causal = c.Golden.Params.Flag("causal", false);
        float scale = (float)c.Golden.Params.Number("scale", -1e6, 1e6);
        if (causal && keys < queries) throw c.Golden.Bad("has more queries than keys");

        GraphBuilder g = c.Graph();
        RuntimeScalar? start = causal ? g.Scalar("start", Math.Max(1, keys)) : null;
        Tensor qt = g.Input("q", DType.F32, new Shape(queries, heads * dim));
        Tensor kt = g.Input("k", DType.F32, new Shape(keys, kvHeads * dim)), vt = g.Input("v", DType.F32, new Shape(keys, kvHeads * dim));
        Tensor y = g.Output("y", g.FlashAttention(qt, kt, vt, heads, kvHeads, scale, causal, start));
        // One query sees all keys, masked or not: the decode kernel must agree.
        Tensor? decoded = queries == 1 ? g.Output("decoded", g.DecodeAttention(qt, kt, vt, heads, kvHeads, scale)) : null;
        using var run = new GraphRun(c, g.Build());
        run.Write(qt, Heads.ToRows(q)).Write(kt, Heads.ToRows(k)).Write(vt, Heads.ToRows(v));
        if (start is not null) run.Set(start, keys - queries);
        run.Execute();
        StageOutputs outputs = new StageOutputs().Add("y", Heads.FromRows(run.Floats(y), heads, dim), heads, queries, dim);
        if (decoded is not null) outputs.AddVariant("y", "decode", Heads.FromRows(run.Floats(decoded), heads, dim), heads, queries, dim);
        return outputs;
    }

    private static StageOutputs Rope(StageContext c)
    {
        GoldenTensor x = c.In("x");
        int[] d = x.DimsOf(3);
        (int heads, int rows, int dim) = (d[0], d[1], d[2]);
        long[] positions = c.In("positions").Expect(rows).Integers;
        foreach (long p in positions)
            if (p is < 0 or >= 1 << 20) throw c.Golden.Bad($"has the position {p}");
        var config = new LanguageConfig { HeadDim = dim, RopeTheta = c.Golden.Params.Number("theta", 1, 1e12) };

        GraphBuilder g = c.Graph();
        int capacity = (int)positions.Max() + 1;
        Tensor at = g.List("positions", new Shape(rows), new IndexRange(0, capacity));
        Tensor xt = g.Input("x", DType.F32, new Shape(rows, heads * dim));
        Tensor y = g.Output("y", LanguageStack.Tables(g, config, capacity, at).Rotate(g, xt, heads));
        using var run = new GraphRun(c, g.Build());
        run.Bound.Set(at, [.. positions.Select(p => (int)p)]);
        run.Write(xt, Heads.ToRows(x)).Execute();
        return new StageOutputs().Add("y", Heads.FromRows(run.Floats(y), heads, dim), heads, rows, dim);
    }

    private static StageOutputs AxialRope(StageContext c)
    {
        GoldenTensor q = c.In("q"), k = c.In("k");
        int[] kd = k.DimsOf(2);
        int grid = c.Golden.Params.Int("grid", 1, 1024), pointers = c.Golden.Params.Int("pointer_rows", 0, kd[0]);
        if (c.Golden.Params.Number("theta", 1, 1e12, 10000) != 10000) throw c.Golden.Bad("has a theta other than 10000");
        q.Expect(grid * grid, kd[1]);
        GraphBuilder g = c.Graph();
        Tensor qt = g.Input("q", DType.F32, q.Shape), kt = g.Input("k", DType.F32, k.Shape);
        AxialCode code = AxialCode.Create(g, grid, kd[1]);
        // Pointers have no place on the grid.
        Tensor memories = code.Rotate(g, g.SliceRows(kt, 0, kd[0] - pointers));
        Tensor qo = g.Output("q", code.Rotate(g, qt)),
            ko = g.Output("k", pointers == 0 ? memories : g.Concat([memories, g.SliceRows(kt, kd[0] - pointers, pointers)]));
        using var run = new GraphRun(c, g.Build());
        run.Write(qt, q.Floats).Write(kt, k.Floats).Execute();
        return new StageOutputs().Add("q", run.Floats(qo), q.Shape.ToArray()).Add("k", run.Floats(ko), kd);
    }
}

/// <summary>Golden files hold heads as [heads, rows, d], the engine as blocks of the last axis: [rows, heads·d].</summary>
internal static class Heads
{
    public static float[] ToRows(GoldenTensor tensor)
    {
        int[] d = tensor.DimsOf(3);
        var rows = new float[tensor.Floats.Length];
        for (int h = 0; h < d[0]; h++)
            for (int r = 0; r < d[1]; r++)
                tensor.Floats.AsSpan((h * d[1] + r) * d[2], d[2]).CopyTo(rows.AsSpan((r * d[0] + h) * d[2]));
        return rows;
    }

    public static float[] FromRows(float[] rows, int heads, int headDim)
    {
        int count = rows.Length / (heads * headDim);
        var result = new float[rows.Length];
        for (int h = 0; h < heads; h++)
            for (int r = 0; r < count; r++)
                rows.AsSpan((r * heads + h) * headDim, headDim).CopyTo(result.AsSpan((h * count + r) * headDim));
        return result;
    }
}
