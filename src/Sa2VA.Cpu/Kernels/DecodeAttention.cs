using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>One query row per head over the KV cache: scores, softmax, weighted sum, each one pass over contiguous memory. Parts are heads.</summary>
internal sealed unsafe class DecodeAttentionKernel : Kernel
{
    private readonly Operand _qOperand, _kOperand, _vOperand, _outOperand;
    private readonly int _heads, _group, _headDim;
    private readonly float _scale;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly int _workers;
    private RowView _q, _k, _v, _out;
    private int _parts;

    public DecodeAttentionKernel(DecodeAttention op, KernelContext context) : base(op)
    {
        (_qOperand, _kOperand, _vOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Inputs[1]), context.Operand(op.Inputs[2]));
        _outOperand = context.Operand(op.Output);
        if (op.Inputs[1].Type != DType.F32) throw new DeviceException($"{op.Name}: the CPU backend reads keys and values as F32, not {op.Inputs[1].Type}.");
        (_heads, _group, _headDim, _scale) = (op.Heads, op.Heads / op.KvHeads, op.Inputs[0].Shape.Last / op.Heads, op.Scale);
        _scratch = context.Scratch(op.Inputs[1].Shape.Rows * sizeof(float));
        (_simd, _workers) = (context.Simd, context.Workers);
    }

    public override int Prepare(in RunContext run)
    {
        (_q, _k, _v, _out) = (_qOperand.Resolve(run), _kOperand.Resolve(run), _vOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = Math.Min(_workers, _heads);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_heads, part, _parts);
        for (int head = (int)first; head < end; head++)
        {
            switch (_simd)
            {
                case SimdLevel.V512: Head<V512>(head, (float*)_scratch.Slice(part)); break;
                case SimdLevel.V256: Head<V256>(head, (float*)_scratch.Slice(part)); break;
                default: Head<V128>(head, (float*)_scratch.Slice(part)); break;
            }
        }
    }

    private void Head<T>(int head, float* scores) where T : unmanaged, ISimd<T>
    {
        int length = (int)_k.Rows, column = head / _group * _headDim;
        float* q = _q.Floats + head * _headDim, to = _out.Floats + head * _headDim;
        for (int j = 0; j < length; j++) scores[j] = _scale * RowReduction.Dot<T>(q, _k.Row(j) + column, _headDim);
        float max = RowReduction.Max<T>(scores, length);
        T shift = T.Create(max);
        int i = 0;
        for (; i <= length - T.Count; i += T.Count) T.Store(VectorMath.Exp(T.Load(scores + i) - shift), scores + i);
        if (i < length) VectorMath.StorePartial(VectorMath.Exp(VectorMath.LoadPartial<T>(scores + i, length - i) - shift), scores + i, length - i);
        float inverse = length == 0 ? 0 : 1 / RowReduction.Sum<T>(scores, length);

        int c = 0;
        for (; c <= _headDim - 2 * T.Count; c += 2 * T.Count)
        {
            T even0 = T.Zero, even1 = T.Zero, odd0 = T.Zero, odd1 = T.Zero;
            int j = 0;
            for (; j + 1 < length; j += 2)
            {
                float* v = _v.Row(j) + column + c, w = _v.Row(j + 1) + column + c;
                T p = T.Create(scores[j]), r = T.Create(scores[j + 1]);
                even0 = T.MultiplyAdd(p, T.Load(v), even0);
                even1 = T.MultiplyAdd(p, T.Load(v + T.Count), even1);
                odd0 = T.MultiplyAdd(r, T.Load(w), odd0);
                odd1 = T.MultiplyAdd(r, T.Load(w + T.Count), odd1);
            }
            if (j < length)
            {
                float* v = _v.Row(j) + column + c;
                even0 = T.MultiplyAdd(T.Create(scores[j]), T.Load(v), even0);
                even1 = T.MultiplyAdd(T.Create(scores[j]), T.Load(v + T.Count), even1);
            }
            T.Store((even0 + odd0) * T.Create(inverse), to + c);
            T.Store((even1 + odd1) * T.Create(inverse), to + c + T.Count);
        }
        // The same two chains (even and odd keys) for what is left, so that the bits do not depend on the vector width.
        for (; c < _headDim; c += T.Count)
        {
            int lanes = Math.Min(T.Count, _headDim - c);
            T even = T.Zero, odd = T.Zero;
            for (int j = 0; j < length; j++)
            {
                float* v = _v.Row(j) + column + c;
                T value = lanes == T.Count ? T.Load(v) : VectorMath.LoadPartial<T>(v, lanes);
                if (j % 2 == 0) even = T.MultiplyAdd(T.Create(scores[j]), value, even);
                else odd = T.MultiplyAdd(T.Create(scores[j]), value, odd);
            }
            VectorMath.StorePartial((even + odd) * T.Create(inverse), to + c, lanes);
        }
    }
}
