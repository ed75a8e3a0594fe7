using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// One query row per head over the KV cache: scores, softmax, weighted sum. Query heads that share a key/value head go through a block of
/// keys together, so that the cache is read once for all of them. Parts are heads of the sequences, shared by the keys they have.
/// </summary>
internal sealed unsafe class DecodeAttentionKernel : Kernel
{
    /// <summary>Keys per block: their rows stay in L1 while the heads meet them.</summary>
    private const int Block = 32;

    /// <summary>
    /// Places of a block that are fetched from at once, and their rows; a group of <see cref="Together"/> keys fetches one of each.
    /// </summary>
    private const int Streams = 4, Streamed = Block / Streams;

    /// <summary>Keys whose scores are computed at a time.</summary>
    private const int Together = 4;

    /// <summary>Heads that go through the keys together, if that many share a key/value head or a few of those have no more.</summary>
    private const int MostHeads = 16;

    private readonly Operand _qOperand, _outOperand;
    private readonly SegmentRows _segments;
    private readonly int _heads, _group, _groups, _headDim;
    private readonly long _stride;
    private readonly float _scale;
    private readonly bool _isFloat;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly int _workers;
    private RowView _q, _out;
    private int _parts;
    private long _work;

    public DecodeAttentionKernel(DecodeAttention op, KernelContext context) : base(op)
    {
        (_qOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _segments = new SegmentRows(op, op.Segments, op.Segments?.Count ?? 1, context);
        (_heads, _group, _headDim, _scale) = (op.Heads, op.Heads / op.KvHeads, op.Inputs[0].Shape.Last / op.Heads, op.Scale);
        _groups = Math.Max(1, MostHeads / _group);
        long capacity = op.Segments?.Capacity(op.Inputs[1]) ?? op.Inputs[1].Shape.Rows;
        // An odd number of cache lines: heads' scores of one key must not meet in one set of a cache.
        _stride = 16 * ((capacity + 15) / 16 | 1);
        _isFloat = op.Inputs.Skip(1).Take(2).All(t => t.Type == DType.F32);
        _scratch = context.Scratch(_groups * (_group * (_stride + 4L * _headDim) + (_isFloat ? 0 : Block * _headDim)) * sizeof(float));
        (_simd, _workers) = (context.Simd, context.Workers);
    }

    public override int Prepare(in RunContext run)
    {
        (_q, _out) = (_qOperand.Resolve(run), _outOperand.Resolve(run));
        _segments.Prepare(run, _q.Rows);
        _work = 0;
        for (int s = 0; s < _segments.Count; s++) _work += _heads * _segments.Weight(s);
        return _parts = (int)Math.Min(_workers, (long)_heads * _segments.Count);
    }

    public override void Run(int part)
    {
        (long begin, long end) = Share(_work, part, _parts);
        long at = 0;
        for (int segment = 0; segment < _segments.Count; segment++)
        {
            (long first, long last) = SegmentRows.ItemsWithin(begin, end, at, _heads, _segments.Weight(segment));
            at += _heads * _segments.Weight(segment);
            for (int head = (int)first; head < last;)
            {
                int together = (int)Math.Min(last, (head / _group + _groups) * _group) - head;
                switch (_simd)
                {
                    case SimdLevel.V512: Heads<V512>(segment, head, together, (float*)_scratch.Slice(part)); break;
                    case SimdLevel.V256: Heads<V256>(segment, head, together, (float*)_scratch.Slice(part)); break;
                    default: Heads<V128>(segment, head, together, (float*)_scratch.Slice(part)); break;
                }
                head += together;
            }
        }
    }

    /// <summary>
    /// Heads [head, head + count) of a sequence. Scratch: scores [count, stride], then sums of even and of odd keys [count, 2, d], queries
    /// and results [count, 2, d] and a block of keys or values where they are not F32.
    /// </summary>
    private void Heads<T>(int segment, int head, int count, float* scratch) where T : unmanaged, ISimd<T>
    {
        int length = (int)_segments.Keys(segment), width = count * _headDim;
        int column = head / _group * _headDim, columns = ((head + count - 1) / _group + 1) * _headDim - column;
        float* sums = scratch + count * _stride, q = sums + 2 * width, to = q + width, widened = to + width;
        float** rows = stackalloc float*[2 * Block], next = rows + Block;
        Widen.Columns(_q, segment, 1, head * _headDim, width, q, rows);
        q = rows[0];
        Widen.Targets(_out, segment, 1, head * _headDim, width, to, rows);
        float* result = to = rows[0];
        for (int j = 0; j < length; j += Block)
        {
            int keys = Math.Min(Block, length - j), ahead = Ahead(length - j - keys);
            _segments.KeyRows(segment, j, keys + ahead, column, columns, widened, rows);
            for (int i = 0; i < keys; i += Together)
            {
                if (ahead > 0) Fetch(next, i / Together, i / Together + 1, columns);
                for (int h = 0, heads; h < count; h += heads)
                {
                    heads = Sharing(h);
                    Scores<T>(q + h * _headDim, heads, rows + i, ColumnOf(h), Math.Min(Together, keys - i), scratch + h * _stride + j + i);
                }
            }
        }
        for (int h = 0; h < count; h++) Softmax<T>(scratch + h * _stride, length);

        new Span<float>(sums, count * 2 * _headDim).Clear();
        for (int j = 0; j < length; j += Block)
        {
            int keys = Math.Min(Block, length - j), ahead = Ahead(length - j - keys);
            _segments.ValueRows(segment, j, keys + ahead, column, columns, widened, rows);
            for (int h = 0, heads; h < count; h += heads)
            {
                heads = Math.Min(2, Sharing(h));
                if (ahead > 0) Fetch(next, Streamed * h / count, Streamed * (h + heads) / count, columns);
                float* p = scratch + h * _stride + j;
                AddValues<T>(p, heads == 2 ? p + _stride : null, rows, ColumnOf(h), keys, sums + h * 2 * _headDim);
            }
        }
        for (int h = 0; h < count; h++, to += _headDim)
        {
            float* even = sums + h * 2 * _headDim, odd = even + _headDim;
            for (int c = 0; c < _headDim; c++) to[c] = even[c] + odd[c];
        }
        Widen.StoreColumns(&result, _out, segment, 1, head * _headDim, width);

        int ColumnOf(int h) => (head + h) / _group * _headDim - column;

        // Heads from h on that share its keys.
        int Sharing(int h) => Math.Min(count - h, _group - (head + h) % _group);

        // Rows of the next block to fetch: all, where they are read as they lie.
        int Ahead(int rest) => _isFloat && rest >= Block ? Block : 0;
    }

    /// <summary>
    /// scores[h, i] = scale·q[h]·k[i] of heads that share keys, of at most four keys: each score has its <see cref="LaneSum{T}"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Scores<T>(float* q, int heads, float** rows, int column, int keys, float* scores) where T : unmanaged, ISimd<T>
    {
        if (keys < Together || _headDim % LaneSum<T>.Width != 0)
        {
            for (int h = 0; h < heads; h++)
                for (int i = 0; i < keys; i++)
                    scores[h * _stride + i] = _scale * RowReduction.Dot<T>(q + h * _headDim, rows[i] + column, _headDim);
            return;
        }
        float* a = rows[0] + column, b = rows[1] + column, c = rows[2] + column, d = rows[3] + column;
        nint width = _headDim;
        Vector128<float> scale = Vector128.Create(_scale);
        for (float* end = q + heads * width; q < end; q += width, scores += _stride)
        {
            T a0 = T.Zero, a1 = T.Zero, a2 = T.Zero, a3 = T.Zero;
            T b0 = T.Zero, b1 = T.Zero, b2 = T.Zero, b3 = T.Zero;
            T c0 = T.Zero, c1 = T.Zero, c2 = T.Zero, c3 = T.Zero;
            T d0 = T.Zero, d1 = T.Zero, d2 = T.Zero, d3 = T.Zero;
            for (nint e = 0; e < width; e += LaneSum<T>.Width)
            {
                T x = T.Load(q + e);
                a0 = T.MultiplyAdd(x, T.Load(a + e), a0);
                b0 = T.MultiplyAdd(x, T.Load(b + e), b0);
                c0 = T.MultiplyAdd(x, T.Load(c + e), c0);
                d0 = T.MultiplyAdd(x, T.Load(d + e), d0);
                if (T.Count > 8) continue;
                nint j = e + T.Count;
                x = T.Load(q + j);
                a1 = T.MultiplyAdd(x, T.Load(a + j), a1);
                b1 = T.MultiplyAdd(x, T.Load(b + j), b1);
                c1 = T.MultiplyAdd(x, T.Load(c + j), c1);
                d1 = T.MultiplyAdd(x, T.Load(d + j), d1);
                if (T.Count > 4) continue;
                j += T.Count;
                x = T.Load(q + j);
                a2 = T.MultiplyAdd(x, T.Load(a + j), a2);
                b2 = T.MultiplyAdd(x, T.Load(b + j), b2);
                c2 = T.MultiplyAdd(x, T.Load(c + j), c2);
                d2 = T.MultiplyAdd(x, T.Load(d + j), d2);
                j += T.Count;
                x = T.Load(q + j);
                a3 = T.MultiplyAdd(x, T.Load(a + j), a3);
                b3 = T.MultiplyAdd(x, T.Load(b + j), b3);
                c3 = T.MultiplyAdd(x, T.Load(c + j), c3);
                d3 = T.MultiplyAdd(x, T.Load(d + j), d3);
            }
            Vector128<float> totals = LaneSum<T>.Totals(
                T.Fold16(a0, a1, a2, a3), T.Fold16(b0, b1, b2, b3), T.Fold16(c0, c1, c2, c3), T.Fold16(d0, d1, d2, d3));
            (scale * totals).Store(scores);
        }
    }

    /// <summary>
    /// Asks for a part of the next block while this one is computed with, line after line in <see cref="Streams"/> places: rows of heads
    /// are read in an order in which processors see no stream to run ahead of.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fetch(float** rows, int first, int end, int columns)
    {
        const int Line = 16;
        if (!Sse.IsSupported) return;
        for (; first < end; first++)
            for (int c = 0; c < columns; c += Line)
                for (int stream = 0; stream < Streams; stream++) Sse.Prefetch0(rows[first + stream * Streamed] + c);
    }

    private static void Softmax<T>(float* scores, int length) where T : unmanaged, ISimd<T>
    {
        T shift = T.Create(RowReduction.Max<T>(scores, length));
        int i = 0;
        for (; i <= length - T.Count; i += T.Count) T.Store(VectorMath.Exp(T.Load(scores + i) - shift), scores + i);
        if (i < length)
            VectorMath.StorePartial(VectorMath.Exp(VectorMath.LoadPartial<T>(scores + i, length - i) - shift), scores + i, length - i);
        T inverse = T.Create(length == 0 ? 0 : 1 / RowReduction.Sum<T>(scores, length));
        for (i = 0; i <= length - T.Count; i += T.Count) T.Store(T.Load(scores + i) * inverse, scores + i);
        if (i < length) VectorMath.StorePartial(VectorMath.LoadPartial<T>(scores + i, length - i) * inverse, scores + i, length - i);
    }

    /// <summary>
    /// Adds p·v over a block: even keys to the first half of the sums, odd ones to the second, each chain in key order at every width.
    /// </summary>
    /// <param name="p">Weights of the block's keys.</param>
    /// <param name="other">Those of another head, which is added at the same time; or null.</param>
    /// <param name="rows">Values.</param>
    /// <param name="column">The heads' first column in them.</param>
    /// <param name="keys">Keys.</param>
    /// <param name="sums">Sums of even and of odd keys [2, d], those of the other head behind them.</param>
    private void AddValues<T>(float* p, float* other, float** rows, int column, int keys, float* sums)
        where T : unmanaged, ISimd<T>
    {
        int c = 0;
        for (; c <= _headDim - 2 * T.Count; c += 2 * T.Count)
        {
            if (other == null) AddPair<T>(p, rows, column + c, keys, sums + c);
            else AddPairs<T>(p, other, rows, column + c, keys, sums + c);
        }
        AddRest<T>(p, rows, column, c, keys, sums);
        if (other != null) AddRest<T>(other, rows, column, c, keys, sums + 2 * _headDim);
    }

    /// <summary>A pair of vectors of one head.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddPair<T>(float* p, float** rows, int c, int keys, float* even) where T : unmanaged, ISimd<T>
    {
        float* odd = even + _headDim;
        T e0 = T.Load(even), e1 = T.Load(even + T.Count), o0 = T.Load(odd), o1 = T.Load(odd + T.Count);
        int i = 0;
        for (; i + 1 < keys; i += 2)
        {
            float* v = rows[i] + c, w = rows[i + 1] + c;
            T a = T.Create(p[i]), b = T.Create(p[i + 1]);
            e0 = T.MultiplyAdd(a, T.Load(v), e0);
            e1 = T.MultiplyAdd(a, T.Load(v + T.Count), e1);
            o0 = T.MultiplyAdd(b, T.Load(w), o0);
            o1 = T.MultiplyAdd(b, T.Load(w + T.Count), o1);
        }
        if (i < keys)
        {
            float* v = rows[i] + c;
            e0 = T.MultiplyAdd(T.Create(p[i]), T.Load(v), e0);
            e1 = T.MultiplyAdd(T.Create(p[i]), T.Load(v + T.Count), e1);
        }
        T.Store(e0, even);
        T.Store(e1, even + T.Count);
        T.Store(o0, odd);
        T.Store(o1, odd + T.Count);
    }

    /// <summary>A pair of vectors of two heads, for which each value is loaded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddPairs<T>(float* p, float* other, float** rows, int c, int keys, float* even) where T : unmanaged, ISimd<T>
    {
        float* odd = even + _headDim, evenOther = odd + _headDim, oddOther = evenOther + _headDim;
        T e0 = T.Load(even), e1 = T.Load(even + T.Count), o0 = T.Load(odd), o1 = T.Load(odd + T.Count);
        T f0 = T.Load(evenOther), f1 = T.Load(evenOther + T.Count), g0 = T.Load(oddOther), g1 = T.Load(oddOther + T.Count);
        int i = 0;
        for (; i + 1 < keys; i += 2)
        {
            float* v = rows[i] + c, w = rows[i + 1] + c;
            T low = T.Load(v), high = T.Load(v + T.Count), a = T.Create(p[i]), b = T.Create(other[i]);
            e0 = T.MultiplyAdd(a, low, e0);
            e1 = T.MultiplyAdd(a, high, e1);
            f0 = T.MultiplyAdd(b, low, f0);
            f1 = T.MultiplyAdd(b, high, f1);
            (low, high, a, b) = (T.Load(w), T.Load(w + T.Count), T.Create(p[i + 1]), T.Create(other[i + 1]));
            o0 = T.MultiplyAdd(a, low, o0);
            o1 = T.MultiplyAdd(a, high, o1);
            g0 = T.MultiplyAdd(b, low, g0);
            g1 = T.MultiplyAdd(b, high, g1);
        }
        if (i < keys)
        {
            float* v = rows[i] + c;
            T low = T.Load(v), high = T.Load(v + T.Count), a = T.Create(p[i]), b = T.Create(other[i]);
            e0 = T.MultiplyAdd(a, low, e0);
            e1 = T.MultiplyAdd(a, high, e1);
            f0 = T.MultiplyAdd(b, low, f0);
            f1 = T.MultiplyAdd(b, high, f1);
        }
        T.Store(e0, even);
        T.Store(e1, even + T.Count);
        T.Store(o0, odd);
        T.Store(o1, odd + T.Count);
        T.Store(f0, evenOther);
        T.Store(f1, evenOther + T.Count);
        T.Store(g0, oddOther);
        T.Store(g1, oddOther + T.Count);
    }

    /// <summary>Columns from <paramref name="c"/> on, which fill no pair of vectors.</summary>
    private void AddRest<T>(float* p, float** rows, int column, int c, int keys, float* sums) where T : unmanaged, ISimd<T>
    {
        for (; c < _headDim; c += T.Count)
        {
            int lanes = Math.Min(T.Count, _headDim - c);
            T even = VectorMath.LoadPartial<T>(sums + c, lanes), odd = VectorMath.LoadPartial<T>(sums + _headDim + c, lanes);
            for (int i = 0; i < keys; i++)
            {
                float* v = rows[i] + column + c;
                T value = lanes == T.Count ? T.Load(v) : VectorMath.LoadPartial<T>(v, lanes);
                if (i % 2 == 0) even = T.MultiplyAdd(T.Create(p[i]), value, even);
                else odd = T.MultiplyAdd(T.Create(p[i]), value, odd);
            }
            VectorMath.StorePartial(even, sums + c, lanes);
            VectorMath.StorePartial(odd, sums + _headDim + c, lanes);
        }
    }
}
