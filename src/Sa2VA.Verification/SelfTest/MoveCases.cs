using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Ops that move rows and compute nothing.</summary>
internal static class MoveCases
{
    private const int Width = 37;

    public static IEnumerable<OpCase> All =>
    [
        new CopyCase(), new ConcatCase(1, Width), new ConcatCase(2, Width), new ConcatCase(2, 40), new SegmentsCase(),
        new RepeatCase(), new GatherCase(), new EmbeddingCase(), new WriteRowsCase(StateCopy.None), new WriteRowsCase(StateCopy.ByItsQueue),
        new WriteRowsCase(StateCopy.ByAnotherQueue),
    ];

    private static T[] Row<T>(T[] table, int row) => table[(row * Width)..((row + 1) * Width)];

    private sealed class CopyCase : OpCase
    {
        public CopyCase() : base(nameof(Copy), $"5×{Width}, F32 to F16 to F32") => Floats(new Shape(5, Width));

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Copy(g.Copy(x[0], DType.F16), DType.F32);

        public override T[] Result<T>(CaseValues<T> x) => [.. x[0].Select(v => T.CreateChecked((Half)float.CreateChecked(v)))];
    }

    private sealed class ConcatCase : OpCase
    {
        private readonly int _segments;

        public ConcatCase(int segments, int width) : base(nameof(Concat), $"4×{width} and 2×{width} in {segments}")
        {
            _segments = segments;
            Floats(new Shape(4, width));
            Floats(new Shape(2, width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Concat([x[0], x[1]], segments: _segments);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] a = x[0], b = x[1];
            return [.. Enumerable.Range(0, _segments).SelectMany(s => (T[])[.. Part(a, s), .. Part(b, s)])];

            T[] Part(T[] of, int s) => of[(of.Length / _segments * s)..(of.Length / _segments * (s + 1))];
        }
    }

    /// <summary>Two segments of each part, of lengths that come as numbers of the run.</summary>
    private sealed class SegmentsCase : OpCase
    {
        private static readonly int[] Of = [1, 3], OfSecond = [2, 0];

        public SegmentsCase() : base(nameof(Concat), $"4×{Width} and 2×{Width} in segments of 1, 3 and 2, 0")
        {
            Floats(new Shape(4, Width));
            Floats(new Shape(2, Width));
            Integers(Of);
            Integers(OfSecond);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Concat([x[0], x[1]], [x[2], x[3]]);

        public override T[] Result<T>(CaseValues<T> x) => [.. Row(x[0], 0), .. x[1], .. x[0][Width..]];
    }

    private sealed class RepeatCase : OpCase
    {
        public RepeatCase() : base(nameof(Repeat), $"3×{Width}, 3 times") => Floats(new Shape(3, Width));

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Repeat(x[0], 3);

        public override T[] Result<T>(CaseValues<T> x) => [.. x[0], .. x[0], .. x[0]];
    }

    private sealed class GatherCase : OpCase
    {
        public GatherCase() : base(nameof(Gather), $"4 of 7×{Width}")
        {
            Floats(new Shape(7, Width));
            Integers(6, 0, -1, 6);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Gather(x[0], x[1]);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] table = x[0];
            return [.. x.Integers(1).SelectMany(i => i < 0 ? new T[Width] : Row(table, i))];
        }
    }

    private sealed class EmbeddingCase : OpCase
    {
        public EmbeddingCase() : base(nameof(Embedding), $"4 of 11×{Width} with rows of their own")
        {
            Floats(new Shape(2, Width));
            Integers(10, -2, 0, -1);
            Weight("table", new Shape(11, Width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Embedding(g.Weight("table"), x[1], x[0]);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] own = x[0], table = x.Weight("table");
            return [.. x.Integers(1).SelectMany(i => i < 0 ? Row(own, -1 - i) : Row(table, i))];
        }
    }

    private sealed class WriteRowsCase : OpCase
    {
        public WriteRowsCase(StateCopy copy) : base(nameof(WriteRows), $"3 into 6×{Width}" + copy switch
        {
            StateCopy.ByItsQueue => ", copied by the queue",
            StateCopy.ByAnotherQueue => ", copied by another queue",
            _ => "",
        })
        {
            StateCopy = copy;
            Floats(new Shape(6, Width));
            Floats(new Shape(3, Width));
            Integers(5, -1, 0);
        }

        public override int? StateInput => 0;

        public override StateCopy StateCopy { get; }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.WriteRows(x[0], x[1], x[2]);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] state = x[0], rows = x[1];
            return [.. Enumerable.Range(0, 6).SelectMany(r =>
                Array.IndexOf(x.Integers(2), r) is >= 0 and var i ? Row(rows, i) : Row(state, r))];
        }
    }
}
