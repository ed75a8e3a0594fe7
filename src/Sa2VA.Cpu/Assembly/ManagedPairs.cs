using System.Runtime.Intrinsics;

namespace Sa2VA.Cpu;

/// <summary>
/// What the two units compute, in C#: the definition of a BF16 product's bits, for machines that have neither. In both, subnormal
/// operands and results are zeros of their sign, a bfloat16 product has all its digits, and every sum is rounded to nearest even.
/// <list type="bullet">
/// <item><see cref="PairUnit.Dot"/>: of the inputs of a run (<see cref="PairTile.Chunk"/> in a product) one chain of fused multiply-adds
/// from zero, of each pair of inputs the second one first; it is added to the sum so far. Short chains keep the rounding error of long
/// sums small.</item>
/// <item><see cref="PairUnit.Matrix"/>: of each 32 inputs, two chains of 16 from zero, of even inputs and of odd ones; their sum is added
/// to the sum so far.</item>
/// </list>
/// </summary>
internal sealed unsafe class ManagedPairs(PairUnit unit) : PairBlocks
{
    private const int Columns = PackedWeights.PanelWidth, Pairs = PairTile.Step / 2;

    public override PairUnit Unit => unit;

    public override void Run(int rows, ushort* a, byte* b, int steps, float* tile, bool add)
    {
        for (int r = 0; r < rows; r++)
            for (int column = 0; column < Columns; column += Vector256<float>.Count)
            {
                float* to = tile + r * Columns + column;
                Vector256<float> before = add ? Vector256.Load(to) : Vector256<float>.Zero;
                Vector256<float> sum = unit == PairUnit.Matrix ? Flushed(before) : Vector256<float>.Zero;
                for (int step = 0; step < steps; step++)
                {
                    ushort* x = a + ((long)step * rows + r) * PairTile.Step;
                    uint* w = (uint*)b + ((long)step * Pairs * Columns + column);
                    sum = unit == PairUnit.Matrix ? Matrix(x, w, sum) : Dot(x, w, sum);
                }
                (add && unit == PairUnit.Dot ? sum + before : sum).Store(to);
            }
    }

    private static Vector256<float> Dot(ushort* x, uint* w, Vector256<float> sum)
    {
        for (int pair = 0; pair < Pairs; pair++, w += Columns)
        {
            sum = MultiplyAdd(x[2 * pair + 1], Odd(w), sum);
            sum = MultiplyAdd(x[2 * pair], Even(w), sum);
        }
        return sum;
    }

    private static Vector256<float> Matrix(ushort* x, uint* w, Vector256<float> sum)
    {
        Vector256<float> even = Vector256<float>.Zero, odd = Vector256<float>.Zero;
        for (int pair = 0; pair < Pairs; pair++, w += Columns)
        {
            even = MultiplyAdd(x[2 * pair], Even(w), even);
            odd = MultiplyAdd(x[2 * pair + 1], Odd(w), odd);
        }
        return Flushed(sum + Flushed(even + odd));
    }

    private static Vector256<float> Even(uint* pairs) => Flushed(Vector256.ShiftLeft(Vector256.Load(pairs), 16).AsSingle());

    private static Vector256<float> Odd(uint* pairs) => Flushed((Vector256.Load(pairs) & Vector256.Create(0xffff0000u)).AsSingle());

    private static Vector256<float> MultiplyAdd(ushort x, Vector256<float> w, Vector256<float> sum) =>
        Flushed(Vector256.FusedMultiplyAdd(Flushed(Vector256.Create((uint)x << 16).AsSingle()), w, sum));

    private static Vector256<float> Flushed(Vector256<float> values) => Vector256.ConditionalSelect(
        Vector256.LessThan(Vector256.Abs(values), Vector256.Create(1.17549435e-38f)), values & Vector256.Create(-0f), values);
}
