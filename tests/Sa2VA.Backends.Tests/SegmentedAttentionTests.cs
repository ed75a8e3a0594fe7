using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Attention over the rows of several sequences: each as if alone, wherever its keys lie and however they are stored.</summary>
public class SegmentedAttentionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<int, DType, int> Chunks() =>
        [.. from start in (int[])[0, 1, 31, 33, 95, 97]
            from storage in ((DType, int)[])[(DType.F32, 0), (DType.F32, 64), (DType.BF16, 64), (DType.BF16, 16)]
            select (start, storage.Item1, storage.Item2)];

    [Theory]
    [MemberData(nameof(Chunks))]
    public void Chunks_of_several_sequences_see_what_is_before_them_in_their_own(int start, DType type, int pageRows)
    {
        AttentionReference[] shapes = [new(4, 2, 64, 64), new(1, 1, 72, 72), new(2, 2, 80, 80), new(1, 1, 128, 128), new(2, 1, 256, 64)];
        AttentionReference attention = shapes[(start + pageRows) % shapes.Length];
        new SegmentedAttention(attention, true, type, pageRows,
            (2, start + 2), (129, start + 129), (1, start + 1), (127, start + 127), (128, start + 128))
            .FlashAttentionIsWhatItIsAlone($"chunks behind {start}, {type}, pages of {pageRows}");
    }

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.F16, 0)]
    [InlineData(DType.F32, 32)]
    [InlineData(DType.BF16, 128)]
    [InlineData(DType.F16, 1)]
    public void Rows_of_several_objects_see_the_keys_of_their_own(DType type, int pageRows)
    {
        // Nothing before, between and behind them; a segment without rows, without keys, without both; fewer keys than rows.
        foreach (bool causal in (bool[])[false, true])
            new SegmentedAttention(new(2, 1, 24, 40), causal, type, pageRows,
                (0, 0), (9, 200), (0, 31), (70, 33), (5, 0), (0, 0), (1, 1), (33, 97), (40, 3), (0, 0))
                .FlashAttentionIsWhatItIsAlone($"objects, causal {causal}, {type}, pages of {pageRows}");
        new SegmentedAttention(new(1, 1, 256, 64), false, type, pageRows, (65, 300)).FlashAttentionIsWhatItIsAlone($"one object, {type}");
        // So many keys that wide heads are attended to in splits.
        new SegmentedAttention(new(1, 1, 256, 64), false, type, pageRows, (3, 2048), (0, 0), (5, 4100), (2, 0), (70, 31))
            .FlashAttentionIsWhatItIsAlone($"objects with many keys, {type}, pages of {pageRows}");
    }

    [Theory]
    [InlineData(DType.F32, 0)]
    [InlineData(DType.BF16, 0)]
    [InlineData(DType.F32, 64)]
    [InlineData(DType.BF16, 64)]
    [InlineData(DType.F16, 16)]
    public void Decoding_chats_see_the_keys_of_their_own(DType type, int pageRows)
    {
        int[] lengths = [65, 0, 1, 127, 64, 63, 200, 129, 31, 33, 95, 97, 2, 0, 128, 300, 66, 5, 400];
        foreach (int chats in (int[])[1, 2, 7, 16, 19])
        {
            AttentionReference attention = chats == 16 ? new(14, 2, 64, 64) : chats == 2 ? new(3, 3, 20, 20) : new(4, 1, 48, 48);
            new SegmentedAttention(attention, false, type, pageRows, [.. lengths[^chats..].Select(keys => (1, keys))])
                .DecodeAttentionIsWhatItIsAlone($"{chats} chats, {type}, pages of {pageRows}");
        }
    }

    [Theory]
    [InlineData(14, 2, 64)]
    [InlineData(16, 2, 128)]
    [InlineData(4, 2, 24)]
    public void Chats_that_decode_together_in_BF16_have_the_bits_that_each_has_alone(int heads, int kvHeads, int dim)
    {
        int[] lengths = [131, 1, 400, 128];
        int keyWidth = kvHeads * dim, width = heads * dim;
        float[] q = TestValues.Random(1, lengths.Length * width), k = TestValues.Random(2, lengths.Sum() * keyWidth);
        float[] v = TestValues.Random(3, k.Length);
        foreach (TestBackend configuration in TestBackend.All.DistinctBy(b => b.Family))
        {
            using IBackend backend = configuration.OpenWith(Precision.BFloat16);
            float[] together = Decode(backend, q, k, v, lengths);
            for (int i = 0, first = 0; i < lengths.Length; first += lengths[i++])
            {
                Range keys = (first * keyWidth)..((first + lengths[i]) * keyWidth), row = (i * width)..((i + 1) * width);
                OpRun.AssertSameBits(Decode(backend, q[row], k[keys], v[keys], lengths[i]), together[row], $"of chat {i} among others");
            }
        }

        float[] Decode(IBackend backend, float[] queries, float[] keys, float[] values, params int[] lengths) =>
            new OpRun(new TestWeights(),
                [
                    new GuardedInput(DType.BF16, new Shape(lengths.Length, width), queries),
                    new GuardedInput(DType.BF16, new Shape(lengths.Sum(), keyWidth), keys),
                    new GuardedInput(DType.BF16, new Shape(lengths.Sum(), keyWidth), values),
                    new GuardedInput(DType.I32, new Shape(lengths.Length), lengths),
                ], [])
                .Twice<float>(backend, (g, t, _) => g.DecodeAttention(g.Copy(t[0], DType.F32), t[1], t[2], heads, kvHeads,
                    1 / MathF.Sqrt(dim), new AttentionSegments(t[3], null, null, 0)), queries.Length);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void Chats_that_share_pages_see_them_and_go_their_own_ways(DType type)
    {
        // Two pages in common, then one copied and continued, one continued elsewhere, one that has not got beyond them.
        new SegmentedAttention(new(4, 2, 32, 32), false, type, 16, (1, 40), (1, 43), (1, 100), (1, 32)) { SharedPages = 2 }
            .DecodeAttentionIsWhatItIsAlone($"forks, {type}");
        new SegmentedAttention(new(4, 2, 32, 32), true, type, 16, (3, 40), (11, 43), (60, 100), (32, 32)) { SharedPages = 2 }
            .FlashAttentionIsWhatItIsAlone($"forks, {type}");
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    public void A_chat_that_grows_page_by_page_and_forks_has_what_it_had_in_one_piece(DType type)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            using IBackend backend = configuration.Open();
            using var paged = new GrowingChats(backend, type, 16, [[5, 0, 7, 2], [5, 0, 4, 1]]);
            using var whole = new GrowingChats(backend, type, GrowingChats.Capacity, [[1], [0]]);

            // Two pages and a bit, then a fork in the middle of the third page.
            for (int t = 0; t < 35; t++) Assert.Equal(whole.Step(0, t), paged.Step(0, t));
            paged.Fork(7, 4);
            whole.Fork(1, 0);
            for (int t = 0; t < 29; t++)
            {
                Assert.Equal(whole.Step(1, 1000 + t), paged.Step(1, 1000 + t));
                Assert.Equal(whole.Step(0, 2000 + t), paged.Step(0, 2000 + t));
            }
        }
    }

    public static TheoryData<string, int[], int[], int[]> Wrong() => new()
    {
        { "keys of segment 1", [0, 2, 5], [3, 33], [0, 1, 2, 3] },
        { "keys of segment 0", [0, 2, 5], [-1, 9], [0, 1, 2, 3] },
        { "query offset 1 of segment 0", [1, 2, 5], [3, 9], [0, 1, 2, 3] },
        { "query offset 4 of segment 2", [0, 2, 4], [3, 9], [0, 1, 2, 3] },
        { "query offset 6 of segment 2", [0, 2, 6], [3, 9], [0, 1, 2, 3] },
        { "query offset -1 of segment 1", [0, -1, 5], [3, 9], [0, 1, 2, 3] },
        { "query offset 5 of segment 2", [0, 6, 5], [3, 9], [0, 1, 2, 3] },
        { "index 4 at place 0", [0, 2, 5], [3, 9], [4, 1, 2, 3] },
        { "index -1 at place 1", [0, 2, 5], [3, 17], [0, 1, 2, -1] },
        { "index 2147483647 at place 1", [0, 2, 5], [3, 17], [0, 1, 2, int.MaxValue] },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Numbers_that_do_not_fit_are_refused_before_a_row_is_written(string says, int[] offsets, int[] lengths, int[] pages)
    {
        foreach (TestBackend configuration in TestBackend.All.DistinctBy(b => b.Family))
        {
            using IBackend backend = configuration.Open();
            var g = new GraphBuilder("segments", new TestWeights());
            Tensor q = g.Input("q", DType.F32, new Shape(5, 8)), pool = g.Input("pool", DType.BF16, new Shape(64, 8));
            Tensor starts = g.Input("starts", DType.I32, new Shape(3)), keys = g.Input("keys", DType.I32, new Shape(2));
            Tensor table = g.Input("table", DType.I32, new Shape(2, 2));
            Tensor y = g.Output("y", g.FlashAttention(q, pool, pool, new AttentionSegments(keys, starts, table, 16), 2, 2, 1));
            using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
            using DeviceQueue queue = backend.CreateQueue("segments");
            var memory = new PlanBuffers(plan.Graph);
            Dictionary<Tensor, DeviceBuffer> buffers = [];
            foreach (Tensor t in (Tensor[])[q, pool, starts, keys, table, y])
                memory.Add(t, buffers[t] = backend.Allocate(t.Name, t.Type, t.Shape));
            using BoundPlan bound = plan.Bind(queue, memory);
            var unwritten = new float[y.Shape.Count];
            Array.Fill(unwritten, 7);
            queue.Write<float>(buffers[y], unwritten);
            queue.Write<int>(buffers[starts], offsets);
            queue.Write<int>(buffers[keys], lengths);
            queue.Write<int>(buffers[table], pages);
            queue.Run(bound, Cancellation);
            var e = Assert.Throws<GraphException>(() => queue.Mark().Wait());
            Assert.Contains(says, e.Message, StringComparison.Ordinal);
            var after = new float[unwritten.Length];
            queue.Read<float>(buffers[y], after);
            Assert.Equal(unwritten, after);

            queue.Write<int>(buffers[starts], [0, 2, 5]);
            queue.Write<int>(buffers[keys], [3, 17]);
            queue.Write<int>(buffers[table], [1, -1, 3, 2]);
            queue.Run(bound, Cancellation);
            queue.Mark().Wait();
            foreach (DeviceBuffer buffer in buffers.Values) buffer.Dispose();
        }
    }

    public static TheoryData<string> Families => TestBackend.Families;

    [Theory]
    [MemberData(nameof(Families))]
    public void More_keys_than_stand_there_are_refused(string family)
    {
        var op = new GuardedOp().Floats(new Shape(2, 8), new float[16]).Floats(new Shape(20, 8), new float[160]).Ints(12, 9);
        var e = Assert.Throws<GraphException>(() => op.Gives(new float[16],
            (g, t) => g.DecodeAttention(t[0], t[1], t[1], 2, 2, 1, new AttentionSegments(t[2])), family));
        Assert.Contains("21 keys, of which there are 20", e.Message, StringComparison.Ordinal);
    }
}
