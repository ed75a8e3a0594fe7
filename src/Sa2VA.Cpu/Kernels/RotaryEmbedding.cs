using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Rotates channel pairs by table angles.</summary>
internal sealed unsafe class RotaryEmbeddingKernel(RotaryEmbedding op, KernelContext context) : RowKernel(op, context)
{
    private readonly Operand _cosOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _sinOperand = context.Operand(op.Inputs[2]);
    private readonly Operand? _positionsOperand = op.Positions is null ? null : context.Operand(op.Positions);
    private readonly int _heads = op.Heads, _half = op.Inputs[1].Shape.Last;
    private readonly RotaryPairing _pairing = op.Pairing;
    private RowView _cos, _sin;
    private int* _positions;

    protected override void ResolveInputs(in RunContext run)
    {
        (_cos, _sin) = (_cosOperand.Resolve(run), _sinOperand.Resolve(run));
        if (_positionsOperand is not { } positions) return;
        RowView list = positions.Resolve(run);
        _positions = list.Ints;
        RowIndex.Check(Name, _positions, list.Columns, -1, _cos.Rows, "rows of the table");
    }

    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        for (long r = first; r < end; r++)
        {
            float* from = x.Row(r), to = y.Row(r);
            long position = _positions != null ? _positions[r] : r % _cos.Rows;
            if (position < 0)
            {
                Buffer.MemoryCopy(from, to, y.Columns * sizeof(float), y.Columns * sizeof(float));
                continue;
            }
            float* cos = _cos.Row(position), sin = _sin.Row(position);
            Rotation.Row<T>(from, to, cos, sin, _heads, _half, _pairing);
        }
    }
}

/// <summary>The rotation of a row's heads by the angles of one position.</summary>
internal static unsafe class Rotation
{
    /// <summary>Rotates <paramref name="heads"/> heads of twice <paramref name="half"/> channels.</summary>
    public static void Row<T>(float* x, float* y, float* cos, float* sin, int heads, int half, RotaryPairing pairing)
        where T : unmanaged, ISimd<T>
    {
        for (int h = 0; h < heads; h++, x += 2 * half, y += 2 * half)
        {
            if (pairing == RotaryPairing.Half) Half<T>(x, y, cos, sin, half);
            else Adjacent(x, y, cos, sin, half);
        }
    }

    private static void Half<T>(float* x, float* y, float* cos, float* sin, int half) where T : unmanaged, ISimd<T>
    {
        int i = 0;
        for (; i <= half - T.Count; i += T.Count)
        {
            T a = T.Load(x + i), b = T.Load(x + half + i), c = T.Load(cos + i), s = T.Load(sin + i);
            T.Store(a * c - b * s, y + i);
            T.Store(b * c + a * s, y + half + i);
        }
        for (; i < half; i++)
        {
            float a = x[i], b = x[half + i];
            y[i] = a * cos[i] - b * sin[i];
            y[half + i] = b * cos[i] + a * sin[i];
        }
    }

    private static void Adjacent(float* x, float* y, float* cos, float* sin, int half)
    {
        for (int i = 0; i < half; i++)
        {
            float a = x[2 * i], b = x[2 * i + 1];
            y[2 * i] = a * cos[i] - b * sin[i];
            y[2 * i + 1] = a * sin[i] + b * cos[i];
        }
    }
}
