using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>The GEMM of which each part keeps its largest element of every row; the part that ends last compares them.</summary>
internal sealed unsafe class LinearArgMaxKernel(LinearArgMax op, KernelContext context)
    : GemmKernel(op, context.Packed(op, op.Weight), context, (op.Inputs[0].Shape.Rows * sizeof(Largest) + 63) & ~63L)
{
    private readonly int _outputs = op.Weight.Shape[0];
    private int _running;

    // Parts are ranges of outputs: a row has its largest element wherever that is.
    protected override bool MaySplitRows => false;

    public override int Prepare(in RunContext run) => _running = base.Prepare(run);

    protected override void Run<T>(int part)
    {
        long rows = X.Rows;
        Largest* largest = Of(part);
        for (long r = 0; r < rows; r++) largest[r] = new Largest(float.NegativeInfinity, 0);
        Multiply<T, LargestEpilogue>(part, new(largest, _outputs));
        if (Interlocked.Decrement(ref _running) > 0) return;
        for (long r = 0; r < rows; r++)
        {
            Largest best = Of(0)[r];
            for (int other = 1; other < Parts; other++) best = Of(other)[r] is var next && next.Value > best.Value ? next : best;
            Out.Ints[r] = best.Index;
        }
    }

    private Largest* Of(int part) => (Largest*)Scratch.Slice(part);
}

/// <summary>A row's largest element so far; once one is not finite, infinity at −1, which nothing is larger than.</summary>
internal readonly record struct Largest(float Value, int Index);

/// <summary>Keeps the largest of a row's sums.</summary>
/// <param name="largest">One per row.</param>
/// <param name="columns">Columns of the product.</param>
internal readonly unsafe struct LargestEpilogue(Largest* largest, int columns) : IEpilogue
{
    public void Store<T>(float* sums, long row, int rows, int panel) where T : unmanaged, ISimd<T>
    {
        int column = panel * PackedWeights.PanelWidth, count = Math.Min(PackedWeights.PanelWidth, columns - column);
        for (int r = 0; r < rows; r++, sums += PackedWeights.PanelWidth)
        {
            Largest best = largest[row + r];
            for (int c = 0; c < count; c++)
            {
                if (!float.IsFinite(sums[c])) best = new Largest(float.PositiveInfinity, -1);
                else if (sums[c] > best.Value) best = new Largest(sums[c], column + c);
            }
            largest[row + r] = best;
        }
    }

    // What it keeps is small, and stays in the cache.
    public void Fetch(long row, int rows, int panel) { }
}
