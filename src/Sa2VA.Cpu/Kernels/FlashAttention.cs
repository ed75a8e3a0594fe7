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

    private readonly Operand _qOperand, _kOperand, _vOperand, _outOperand;
    private readonly int _heads, _group, _headDim, _valueDim, _statesAtOnce;
    private readonly float _scale;
    private readonly bool _causal;
    private readonly RuntimeScalar? _startScalar;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly int _workers;
    private RowView _q, _k, _v, _out;
    private int _start, _parts, _blocks;

    public FlashAttentionKernel(FlashAttention op, KernelContext context) : base(op)
    {
        (_qOperand, _kOperand, _vOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Inputs[1]), context.Operand(op.Inputs[2]));
        _outOperand = context.Operand(op.Output);
        if (op.Inputs[1].Type != DType.F32)
            throw new DeviceException($"{op.Name}: the CPU backend reads keys and values as F32, not {op.Inputs[1].Type}.");
        (_heads, _group, _headDim, _valueDim) = (op.Heads, op.Heads / op.KvHeads, op.HeadDim, op.ValueDim);
        (_scale, _causal, _startScalar) = (op.Scale, op.Causal, op.Start);
        int state = AttentionTile.StateFloats(_headDim, _valueDim) * sizeof(float);
        _statesAtOnce = Math.Max(1, StateBytes / state);
        _scratch = context.Scratch((long)_statesAtOnce * state + AttentionTile.TileFloats(_headDim, _valueDim) * sizeof(float));
        (_simd, _workers) = (context.Simd, context.Workers);
    }

    public override int Prepare(in RunContext run)
    {
        (_q, _k, _v, _out) = (_qOperand.Resolve(run), _kOperand.Resolve(run), _vOperand.Resolve(run), _outOperand.Resolve(run));
        _start = run.Scalar(_startScalar);
        _blocks = (int)((_q.Rows + AttentionTile.Queries - 1) / AttentionTile.Queries);
        return _parts = (int)Math.Min(_workers, (long)_heads * _blocks);
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
        // Items are ordered (key/value head, block, head of the group).
        long perKvHead = (long)_blocks * _group;
        (long first, long end) = Share(perKvHead * (_heads / _group), part, _parts);
        for (long item = first; item < end;)
        {
            int kvHead = (int)(item / perKvHead);
            long last = Math.Min(Math.Min(end, (kvHead + 1) * perKvHead), item + _statesAtOnce);
            Items<T>(kvHead, item - kvHead * perKvHead, (int)(last - item), part);
            item = last;
        }
    }

    private void Items<T>(int kvHead, long firstItem, int items, int part) where T : unmanaged, ISimd<T>
    {
        int stateFloats = AttentionTile.StateFloats(_headDim, _valueDim);
        float* states = (float*)_scratch.Slice(part);
        float* keys = states + (long)_statesAtOnce * stateFloats;
        float* values = keys + AttentionTile.Keys * _headDim;
        float* work = values + AttentionTile.Keys * AttentionTile.PaddedValues(_valueDim);
        float** rows = stackalloc float*[AttentionTile.Keys];

        for (int i = 0; i < items; i++)
        {
            (int head, long block) = HeadAndBlock(kvHead, firstItem + i);
            int count = QueryRows(_q, head * _headDim, block, rows);
            AttentionTile.Begin(states + (long)i * stateFloats, rows, count, _headDim, _valueDim, _scale);
        }

        long visible = _causal
            ? Math.Min(_k.Rows, _start + Math.Min(_q.Rows, (HeadAndBlock(kvHead, firstItem + items - 1).Block + 1) * AttentionTile.Queries))
            : _k.Rows;
        for (long key = 0; key < visible; key += AttentionTile.Keys)
        {
            int count = (int)Math.Min(AttentionTile.Keys, _k.Rows - key);
            for (int j = 0; j < count; j++) rows[j] = _k.Row(key + j) + kvHead * _headDim;
            AttentionTile.PackKeys<T>(keys, rows, count, _headDim);
            for (int j = 0; j < count; j++) rows[j] = _v.Row(key + j) + kvHead * _valueDim;
            AttentionTile.PackValues<T>(values, rows, count, _valueDim);
            for (int i = 0; i < items; i++)
            {
                long query = HeadAndBlock(kvHead, firstItem + i).Block * AttentionTile.Queries;
                long firstVisible = _causal ? _start + query + 1 - key : count;
                if (firstVisible + AttentionTile.Queries <= 1) continue;
                AttentionTile.Step<T>(states + (long)i * stateFloats, keys, values, work, count, _headDim, _valueDim, firstVisible);
            }
        }

        for (int i = 0; i < items; i++)
        {
            (int head, long block) = HeadAndBlock(kvHead, firstItem + i);
            int count = QueryRows(_out, head * _valueDim, block, rows);
            AttentionTile.End(states + (long)i * stateFloats, rows, count, _headDim, _valueDim);
        }
    }

    private (int Head, long Block) HeadAndBlock(int kvHead, long item) => (kvHead * _group + (int)(item % _group), item / _group);

    private static int QueryRows(in RowView view, int column, long block, float** rows)
    {
        long first = block * AttentionTile.Queries;
        int count = (int)Math.Min(AttentionTile.Queries, view.Rows - first);
        for (int i = 0; i < count; i++) rows[i] = view.Row(first + i) + column;
        return count;
    }
}
