using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// One query row per head over the KV cache: scores, softmax, weighted sum. Query heads that share a key/value head go through a block of
/// keys together, so that the cache is read once for all of them. Parts are heads of the sequences, shared by the keys they have.
/// </summary>
internal sealed unsafe class DecodeAttentionKernel : Kernel
{
    /// <summary>Keys per block: 32 KB of them at head dim 128 stay in L1 or L2.</summary>
    private const int Block = 64;

    private readonly Operand _qOperand, _outOperand;
    private readonly SegmentRows _segments;
    private readonly int _heads, _group, _headDim;
    private readonly long _capacity;
    private readonly float _scale;
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
        _capacity = op.Segments?.Capacity(op.Inputs[1]) ?? op.Inputs[1].Shape.Rows;
        bool isFloat = op.Inputs.Skip(1).Take(2).All(t => t.Type == DType.F32);
        _scratch = context.Scratch((_group * (_capacity + 4L * _headDim) + (isFloat ? 0 : Block * _headDim)) * sizeof(float));
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
                int together = (int)Math.Min(last, (head / _group + 1) * _group) - head;
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
    /// Heads [head, head + count) of a sequence, which share one key/value head. Scratch: scores [count, capacity], then sums of even and
    /// of odd keys [count, 2, d], queries and results [count, 2, d] and a block of keys or values where they are not F32.
    /// </summary>
    private void Heads<T>(int segment, int head, int count, float* scratch) where T : unmanaged, ISimd<T>
    {
        int length = (int)_segments.Keys(segment), column = head / _group * _headDim;
        int width = count * _headDim;
        float* sums = scratch + count * _capacity, q = sums + 2 * width, to = q + width, widened = to + width;
        float** rows = stackalloc float*[Block];
        Widen.Columns(_q, segment, 1, head * _headDim, width, q, rows);
        q = rows[0];
        Widen.Targets(_out, segment, 1, head * _headDim, width, to, rows);
        float* result = to = rows[0];
        for (int j = 0; j < length; j += Block)
        {
            int keys = Math.Min(Block, length - j);
            _segments.KeyRows(segment, j, keys, column, _headDim, widened, rows);
            for (int h = 0; h < count; h++) Scores<T>(q + h * _headDim, rows, keys, scratch + h * _capacity + j);
        }
        for (int h = 0; h < count; h++) Softmax<T>(scratch + h * _capacity, length);

        new Span<float>(sums, count * 2 * _headDim).Clear();
        for (int j = 0; j < length; j += Block)
        {
            int keys = Math.Min(Block, length - j);
            _segments.ValueRows(segment, j, keys, column, _headDim, widened, rows);
            for (int h = 0; h < count; h++) AddValues<T>(scratch + h * _capacity + j, rows, keys, sums + h * 2 * _headDim);
        }
        for (int h = 0; h < count; h++, to += _headDim)
        {
            float* even = sums + h * 2 * _headDim, odd = even + _headDim;
            for (int c = 0; c < _headDim; c++) to[c] = even[c] + odd[c];
        }
        Widen.StoreColumns(&result, _out, segment, 1, head * _headDim, width);
    }

    /// <summary>scores[i] = scale·q·k[i].</summary>
    private void Scores<T>(float* q, float** rows, int keys, float* scores) where T : unmanaged, ISimd<T>
    {
        if (_headDim % LaneSum<T>.Width != 0)
        {
            for (int i = 0; i < keys; i++) scores[i] = _scale * RowReduction.Dot<T>(q, rows[i], _headDim);
            return;
        }
        for (int i = 0; i < keys; i++)
        {
            // The lanes of LaneSum, in registers.
            float* k = rows[i];
            T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
            for (int c = 0; c < _headDim; c += LaneSum<T>.Width)
            {
                s0 = T.MultiplyAdd(T.Load(q + c), T.Load(k + c), s0);
                if (T.Count <= 8) s1 = T.MultiplyAdd(T.Load(q + c + T.Count), T.Load(k + c + T.Count), s1);
                if (T.Count <= 4) s2 = T.MultiplyAdd(T.Load(q + c + 2 * T.Count), T.Load(k + c + 2 * T.Count), s2);
                if (T.Count <= 4) s3 = T.MultiplyAdd(T.Load(q + c + 3 * T.Count), T.Load(k + c + 3 * T.Count), s3);
            }
            scores[i] = _scale * LaneSum<T>.Total(s0, s1, s2, s3);
        }
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
    private void AddValues<T>(float* p, float** rows, int keys, float* sums) where T : unmanaged, ISimd<T>
    {
        int c = 0;
        for (; c <= _headDim - 2 * T.Count; c += 2 * T.Count)
        {
            float* even = sums + c, odd = even + _headDim;
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
        for (; c < _headDim; c += T.Count)
        {
            int lanes = Math.Min(T.Count, _headDim - c);
            T even = VectorMath.LoadPartial<T>(sums + c, lanes), odd = VectorMath.LoadPartial<T>(sums + _headDim + c, lanes);
            for (int i = 0; i < keys; i++)
            {
                float* v = rows[i] + c;
                T value = lanes == T.Count ? T.Load(v) : VectorMath.LoadPartial<T>(v, lanes);
                if (i % 2 == 0) even = T.MultiplyAdd(T.Create(p[i]), value, even);
                else odd = T.MultiplyAdd(T.Create(p[i]), value, odd);
            }
            VectorMath.StorePartial(even, sums + c, lanes);
            VectorMath.StorePartial(odd, sums + _headDim + c, lanes);
        }
    }
}
