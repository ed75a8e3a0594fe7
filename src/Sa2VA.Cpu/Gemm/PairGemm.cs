using Sa2VA.Cpu.Kernels;

namespace Sa2VA.Cpu;

/// <summary>
/// <see cref="Gemm"/> in BF16: activations are stored so (or were, before patches of them were gathered), weights lie in pairs of inputs,
/// sums are F32. Every sum goes through all inputs in the order of its unit (<see cref="ManagedPairs"/>), so a row's bits are its own here
/// too.
/// </summary>
internal static unsafe class PairGemm
{
    /// <summary>Elements of A that are packed at a time: they stay in L2.</summary>
    private const int PackedElements = 384 * 1024;

    private const int Panel = PackedWeights.PanelWidth, Step = PairTile.Step, StepBytes = Step * Panel * sizeof(ushort);

    /// <summary>Scratch bytes per part: packed A and the sums of a block of rows.</summary>
    /// <param name="depth">Inputs as they lie.</param>
    public static long ScratchBytes(int depth) => RowBlock(depth) * ((long)depth * sizeof(ushort) + Panel * sizeof(float));

    /// <summary>As <see cref="Gemm.Run{T, TEpilogue}"/>.</summary>
    public static void Run<T, TEpilogue>(MatrixRows a, PackedWeights w, PairBlocks blocks, GemmPart part, in TEpilogue epilogue,
        byte* scratch)
        where T : unmanaged, ISimd<T> where TEpilogue : struct, IEpilogue
    {
        int most = RowBlock(w.Depth);
        for (long row = part.FirstRow; row < part.EndRow; row += most)
        {
            int rows = (int)Math.Min(most, part.EndRow - row);
            blocks.Begin(rows);
            Rows<T, TEpilogue>(a, w, blocks, row, rows, part.FirstPanel, part.EndPanel, epilogue, scratch);
            blocks.End();
        }
    }

    /// <summary>Rows per block: a multiple of 32 and 12.</summary>
    private static int RowBlock(int depth) => Math.Clamp(PackedElements / depth / 96 * 96, 96, 384);

    private static void Rows<T, TEpilogue>(MatrixRows a, PackedWeights w, PairBlocks blocks, long first, int rows, int firstPanel,
        int endPanel, in TEpilogue epilogue, byte* scratch)
        where T : unmanaged, ISimd<T> where TEpilogue : struct, IEpilogue
    {
        var packed = (ushort*)scratch;
        float* sums = (float*)(packed + (long)RowBlock(w.Depth) * w.Depth);
        int steps = w.Depth / Step;
        for (int r = 0; r < rows;)
        {
            int count = PairTile.RowsFor(blocks.Unit, rows - r, rows);
            Pack(a, first + r, Math.Min(count, rows - r), w.K, w.Depth, packed + (long)r * w.Depth, count);
            r += count;
        }
        for (int panel = firstPanel; panel < endPanel; panel++)
        {
            for (int step = 0; step < steps; step += PairTile.Chunk)
            {
                int together = Math.Min(PairTile.Chunk, steps - step);
                byte* b = w.Panel(panel, step * Step), next = b + together * StepBytes;
                for (int r = 0; r < rows;)
                {
                    int count = PairTile.RowsFor(blocks.Unit, rows - r, rows);
                    next = Gemm.FetchLines(next, PairTile.Chunk * StepBytes / Gemm.LineBytes * count / Math.Max(rows, count) + 1);
                    if (step == 0) epilogue.Fetch(first + r, Math.Min(count, rows - r), panel);
                    blocks.Run(count, packed + (long)r * w.Depth + (long)step * Step * count, b, together, sums + r * Panel, add: step > 0);
                    r += count;
                }
            }
            epilogue.Store<T>(sums, first, rows, panel);
        }
    }

    /// <summary>Rows as [step][<paramref name="all"/>][32], rounded; missing rows and inputs are zeros.</summary>
    private static void Pack(in MatrixRows a, long first, int rows, int inputs, int depth, ushort* to, int all)
    {
        for (int i = 0; i < all; i++)
            for (int k = 0; k < depth; k += Step)
            {
                var step = new Span<ushort>(to + (long)k * all + i * Step, Step);
                int count = i < rows ? Math.Clamp(inputs - k, 0, Step) : 0;
                if (count < Step) step[count..].Clear();
                if (count == 0) continue;
                if (a.IsNarrow) new ReadOnlySpan<ushort>(a.NarrowRow(first + i) + k, count).CopyTo(step);
                else Widen.ToBFloat16(new ReadOnlySpan<float>(a.Row(first + i) + k, count), step);
            }
    }
}
