using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Attention without the score matrix. A part takes a range of (head, query block) and walks the key tiles of a head once for as many query
/// blocks as fit its scratch, so a tile is packed once for all of them; heads that share keys and values share the packed tile too.
/// </summary>
internal sealed unsafe class FlashAttentionKernel : Kernel
{
    /// <summary>Bytes of query-block states per part: they stay in the outer caches while tiles pass by.</summary>
    private const int StateBytes = 2 << 20;

    private readonly Operand _qOperand, _outOperand;
    private readonly SegmentRows _segments;
    private readonly int _heads, _group, _headDim, _valueDim, _statesAtOnce;
    private readonly float _scale;
    private readonly bool _causal, _endsWithKeys;
    private readonly RuntimeScalar? _startScalar;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly FloatBlocks? _blocks;
    private readonly PairAttention? _pairs;
    private readonly int _workers;
    private RowView _q, _out;
    private int _start, _parts;
    private long _work;

    public FlashAttentionKernel(FlashAttention op, KernelContext context) : base(op)
    {
        (_qOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        _segments = new SegmentRows(op, op.Segments, op.Groups, context);
        (_heads, _group, _headDim, _valueDim) = (op.Heads, op.Heads / op.KvHeads, op.HeadDim, op.ValueDim);
        (_scale, _causal, _startScalar, _endsWithKeys) = (op.Scale, op.Causal, op.Start, op.Segments is not null);
        if (context.Pairs is { } pairs && op.Inputs.Take(3).All(t => t.Type == DType.BF16))
            _pairs = new PairAttention(pairs, _headDim, _valueDim, _scale);
        int state = StateFloats * sizeof(float);
        _statesAtOnce = Math.Max(1, StateBytes / state);
        bool isFloat = op.Inputs.Take(3).Append(op.Output).All(t => t.Type == DType.F32);
        long widened = isFloat ? 0 : (long)AttentionTile.Keys * Math.Max(_headDim, _valueDim);
        _scratch = context.Scratch((long)_statesAtOnce * state + (TileFloats + widened) * sizeof(float));
        (_simd, _blocks, _workers) = (context.Simd, context.Blocks, context.Workers);
    }

    private int StateFloats => _pairs?.StateFloats ?? AttentionTile.StateFloats(_headDim, _valueDim);

    private int TileFloats => _pairs is { } pairs ? pairs.KeyFloats + pairs.ValueFloats + PairAttention.WorkFloats
        : AttentionTile.TileFloats(_headDim, _valueDim);

    public override int Prepare(in RunContext run)
    {
        (_q, _out, _start) = (_qOperand.Resolve(run), _outOperand.Resolve(run), run.Scalar(_startScalar));
        _segments.Prepare(run, _q.Rows);
        long items = 0;
        _work = 0;
        for (int s = 0; s < _segments.Count; s++)
        {
            items += Items(s);
            _work += Items(s) * _segments.Weight(s);
        }
        return _parts = (int)Math.Min(_workers, items);
    }

    public override void Run(int part)
    {
        switch (_simd)
        {
            case SimdLevel.V512: Run<V512>(part); break;
            case SimdLevel.V256: Run<V256>(part); break;
            default: Run<V128>(part); break;
        }
    }

    private void Run<T>(int part) where T : unmanaged, ISimd<T>
    {
        (long begin, long end) = Share(_work, part, _parts);
        long at = 0;
        _pairs?.Enter();
        for (int segment = 0; segment < _segments.Count; segment++)
        {
            // Items are ordered (key/value head, block, head of the group).
            long items = Items(segment), weight = _segments.Weight(segment), perKvHead = items / (_heads / _group);
            (long first, long last) = SegmentRows.ItemsWithin(begin, end, at, items, weight);
            at += items * weight;
            for (long item = first; item < last;)
            {
                int kvHead = (int)(item / perKvHead);
                long next = Math.Min(Math.Min(last, (kvHead + 1) * perKvHead), item + _statesAtOnce);
                Items<T>(segment, kvHead, item - kvHead * perKvHead, (int)(next - item), part);
                item = next;
            }
        }
        _pairs?.Leave();
    }

    /// <summary>Query blocks of a segment, counted for each head.</summary>
    private long Items(int segment) => (_segments.Queries(segment) + AttentionTile.Queries - 1) / AttentionTile.Queries * _heads;

    private void Items<T>(int segment, int kvHead, long firstItem, int items, int part) where T : unmanaged, ISimd<T>
    {
        int stateFloats = StateFloats;
        float* states = (float*)_scratch.Slice(part);
        float* keys = states + (long)_statesAtOnce * stateFloats;
        float* values = keys + (_pairs?.KeyFloats ?? AttentionTile.Keys * _headDim);
        float* work = values + (_pairs?.ValueFloats ?? AttentionTile.Keys * AttentionTile.PaddedValues(_valueDim));
        float* widened = keys + TileFloats;
        float** rows = stackalloc float*[AttentionTile.Keys];

        for (int i = 0; i < items; i++)
        {
            (int head, long block) = HeadAndBlock(kvHead, firstItem + i);
            long query = FirstRow(segment, block);
            int count = BlockRows(segment, block);
            float* state = states + (long)i * stateFloats;
            if (_pairs is { } narrow)
            {
                for (int j = 0; j < count; j++)
                    rows[j] = (float*)((ushort*)_q.Pointer + (query + j) * _q.RowStride + head * _headDim);
                narrow.Begin(state, (ushort**)rows, count);
                continue;
            }
            Widen.Columns(_q, query, count, head * _headDim, _headDim, widened, rows);
            AttentionTile.Begin(state, rows, count, _headDim, _valueDim, _scale);
        }

        long length = _segments.Keys(segment), queries = _segments.Queries(segment);
        // Position of query row 0 among the keys; below 0 where a segment has fewer keys than rows.
        long start = _endsWithKeys ? length - queries : _start;
        long visible = _causal
            ? Math.Min(length, start + Math.Min(queries, (HeadAndBlock(kvHead, firstItem + items - 1).Block + 1) * AttentionTile.Queries))
            : length;
        for (long key = 0; key < visible; key += AttentionTile.Keys)
        {
            int count = (int)Math.Min(AttentionTile.Keys, length - key);
            if (_pairs is { } narrow)
            {
                _segments.StoredKeys(segment, key, count, kvHead * _headDim, (byte**)rows);
                narrow.PackKeys((ushort*)keys, (ushort**)rows, count);
                _segments.StoredValues(segment, key, count, kvHead * _valueDim, (byte**)rows);
                narrow.PackValues((ushort*)values, (ushort**)rows, count);
            }
            else
            {
                _segments.KeyRows(segment, key, count, kvHead * _headDim, _headDim, widened, rows);
                AttentionTile.PackKeys<T>(keys, rows, count, _headDim);
                _segments.ValueRows(segment, key, count, kvHead * _valueDim, _valueDim, widened, rows);
                AttentionTile.PackValues<T>(values, rows, count, _valueDim);
            }
            for (int i = 0; i < items; i++)
            {
                long query = HeadAndBlock(kvHead, firstItem + i).Block * AttentionTile.Queries;
                long firstVisible = _causal ? start + query + 1 - key : count;
                if (firstVisible + AttentionTile.Queries <= 1) continue;
                float* state = states + (long)i * stateFloats;
                if (_pairs is { } both) both.Run<T>(state, (ushort*)keys, (ushort*)values, work, count, firstVisible);
                else AttentionTile.Step<T>(_blocks, state, keys, values, work, count, _headDim, _valueDim, firstVisible);
            }
        }

        for (int i = 0; i < items; i++)
        {
            (int head, long block) = HeadAndBlock(kvHead, firstItem + i);
            long query = FirstRow(segment, block);
            int count = BlockRows(segment, block);
            Widen.Targets(_out, query, count, head * _valueDim, _valueDim, widened, rows);
            float* state = states + (long)i * stateFloats;
            if (_pairs is { } narrow) narrow.End(state, rows, count);
            else AttentionTile.End(state, rows, count, _headDim, _valueDim);
            Widen.StoreColumns(rows, _out, query, count, head * _valueDim, _valueDim);
        }
    }

    private (int Head, long Block) HeadAndBlock(int kvHead, long item) => (kvHead * _group + (int)(item % _group), item / _group);

    private long FirstRow(int segment, long block) => _segments.FirstQuery(segment) + block * AttentionTile.Queries;

    private int BlockRows(int segment, long block) =>
        (int)Math.Min(AttentionTile.Queries, _segments.Queries(segment) - block * AttentionTile.Queries);
}
