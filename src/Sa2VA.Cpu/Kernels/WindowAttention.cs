using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Attention inside the windows of a map, straight from the fused projection: rows are addressed, not copied into windows.
/// </summary>
internal sealed unsafe class WindowAttentionKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly float* _bias;
    private readonly int _height, _width, _channels, _heads, _headDim, _window, _windowsX, _windows, _apart,
        _widenedFloats;
    private readonly bool _pool;
    private readonly float _scale;
    private readonly WorkerScratch _scratch;
    private readonly SimdLevel _simd;
    private readonly FloatBlocks? _blocks;
    private readonly PairAttention? _pairs;
    private readonly int _workers;
    private RowView _x, _out;
    private int _parts;

    public WindowAttentionKernel(WindowAttention op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        Shape s = op.Inputs[0].Shape;
        (_height, _width, _channels, _heads, _window, _pool, _scale) = (s[0], s[1], s[2] / 3, op.Heads, op.Window, op.Pool, op.Scale);
        _headDim = _channels / _heads;
        _bias = op.Bias is null ? context.Zeros(s[2]) : context.Vector(op.Bias);
        _windowsX = (_width + _window - 1) / _window;
        _windows = _windowsX * ((_height + _window - 1) / _window);
        int area = _window * _window;
        bool isFloat = op.Inputs[0].Type == DType.F32;
        if (context.Pairs is { } pairs && op.Inputs[0].Type == DType.BF16)
            _pairs = new PairAttention(pairs, _headDim, _headDim, _scale);
        _apart = isFloat || _pairs is not null ? _channels : _headDim;
        _widenedFloats = isFloat ? 0 : _pairs is not null ? 3 * _channels : 3 * area * _headDim;
        _scratch = context.Scratch(
            (StateFloats * (long)Blocks + TileFloats + (_pool ? area / 4 * _headDim : 0) + _widenedFloats
                + (op.Output.Type == DType.F32 ? 0 : AttentionTile.Queries * _headDim)) * sizeof(float)
            + area * (2L * sizeof(float*) + sizeof(long)));
        (_simd, _blocks, _workers) = (context.Simd, context.Blocks, context.Workers);
    }

    private int StateFloats => _pairs?.StateFloats ?? AttentionTile.StateFloats(_headDim, _headDim);

    private int TileFloats => _pairs is { } pairs ? pairs.KeyFloats + pairs.ValueFloats + PairAttention.WorkFloats
        : AttentionTile.TileFloats(_headDim, _headDim);

    /// <summary>Query blocks of a window.</summary>
    private int Blocks => (_window * _window / (_pool ? 4 : 1) + AttentionTile.Queries - 1) / AttentionTile.Queries;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = Math.Min(_workers, _windows * _heads);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share((long)_windows * _heads, part, _parts);
        _pairs?.Enter();
        for (long item = first; item < end; item++)
        {
            int window = (int)(item / _heads), head = (int)(item % _heads);
            switch (_simd)
            {
                case SimdLevel.V512: Window<V512>(window, head, part); break;
                case SimdLevel.V256: Window<V256>(window, head, part); break;
                default: Window<V128>(window, head, part); break;
            }
        }
        _pairs?.Leave();
    }

    private void Window<T>(int window, int head, int part) where T : unmanaged, ISimd<T>
    {
        int area = _window * _window, stateFloats = StateFloats;
        float* states = (float*)_scratch.Slice(part);
        float* keys = states + (long)stateFloats * Blocks;
        float* values = keys + (_pairs?.KeyFloats ?? AttentionTile.Keys * _headDim);
        float* work = values + (_pairs?.ValueFloats ?? AttentionTile.Keys * AttentionTile.PaddedValues(_headDim));
        float* pooled = keys + TileFloats;
        float* widened = pooled + (_pool ? area / 4 * _headDim : 0);
        float* rounded = widened + _widenedFloats;
        var tokens = (float**)(rounded + (_out.Type == DType.F32 ? 0 : AttentionTile.Queries * _headDim));
        float** queries = tokens + area;
        var results = (long*)(queries + area);

        int top = window / _windowsX * _window, left = window % _windowsX * _window;
        for (int i = 0; i < area; i++)
        {
            int y = top + i / _window, x = left + i % _window;
            bool exists = y < _height && x < _width;
            tokens[i] = _pairs is not null ? Stored(exists ? (long)y * _width + x : -1, head, (ushort*)widened)
                : _x.Type != DType.F32 ? Widened(exists ? (long)y * _width + x : -1, head, widened + 3 * i * _headDim)
                : (exists ? _x.Row((long)y * _width + x) : _bias) + head * _headDim;
        }
        int count = _pool ? PooledQueries(tokens, top, left, pooled, queries, results)
            : Queries(tokens, top, left, queries, results);

        int blocks = (count + AttentionTile.Queries - 1) / AttentionTile.Queries;
        for (int b = 0; b < blocks; b++)
        {
            int at = b * AttentionTile.Queries, n = Math.Min(AttentionTile.Queries, count - at);
            float* state = states + (long)b * stateFloats;
            if (_pairs is { } narrow) narrow.Begin(state, (ushort**)queries + at, n);
            else AttentionTile.Begin(state, queries + at, n, _headDim, _headDim, _scale);
        }
        float** rows = stackalloc float*[AttentionTile.Keys];
        for (int key = 0; key < area; key += AttentionTile.Keys)
        {
            int n = Math.Min(AttentionTile.Keys, area - key);
            Operands(tokens + key, n, 1, rows);
            if (_pairs is { } narrow) narrow.PackKeys((ushort*)keys, (ushort**)rows, n);
            else AttentionTile.PackKeys<T>(keys, rows, n, _headDim);
            Operands(tokens + key, n, 2, rows);
            if (_pairs is { } also) also.PackValues((ushort*)values, (ushort**)rows, n);
            else AttentionTile.PackValues<T>(values, rows, n, _headDim);
            for (int b = 0; b < blocks; b++)
            {
                float* state = states + (long)b * stateFloats;
                if (_pairs is { } pairs) pairs.Run<T>(state, (ushort*)keys, (ushort*)values, work, n, n);
                else AttentionTile.Step<T>(_blocks, state, keys, values, work, n, _headDim, _headDim, n);
            }
        }
        for (int b = 0; b < blocks; b++)
        {
            int at = b * AttentionTile.Queries, n = Math.Min(AttentionTile.Queries, count - at);
            for (int i = 0; i < n; i++)
                Widen.Targets(_out, results[at + i], 1, head * _headDim, _headDim, rounded + i * _headDim, rows + i);
            if (_pairs is { } narrow) narrow.End(states + (long)b * stateFloats, rows, n);
            else AttentionTile.End(states + (long)b * stateFloats, rows, n, _headDim, _headDim);
            for (int i = 0; i < n; i++) Widen.StoreColumns(rows + i, _out, results[at + i], 1, head * _headDim, _headDim);
        }
    }

    /// <summary>Tokens' keys (1) or values (2), from their queries.</summary>
    private void Operands(float** tokens, int count, int which, float** rows)
    {
        for (int j = 0; j < count; j++)
            rows[j] = _pairs is null ? tokens[j] + which * _apart : (float*)((ushort*)tokens[j] + which * _apart);
    }

    /// <summary>
    /// A head's query of a token where it is stored, its key and value further on; of the bias, rounded, where there is no token.
    /// </summary>
    private float* Stored(long token, int head, ushort* bias)
    {
        if (token >= 0) return (float*)((ushort*)_x.Pointer + token * _x.RowStride + head * _headDim);
        for (int part = 0; part < 3; part++)
        {
            int column = part * _channels + head * _headDim;
            Widen.ToBFloat16(new ReadOnlySpan<float>(_bias + column, _headDim), new Span<ushort>(bias + column, _headDim));
        }
        return (float*)(bias + head * _headDim);
    }

    /// <summary>A head's query, key and value of a token beside each other, as F32; of the bias where there is no token.</summary>
    private float* Widened(long token, int head, float* to)
    {
        for (int part = 0; part < 3; part++)
        {
            var values = new Span<float>(to + part * _headDim, _headDim);
            int column = part * _channels + head * _headDim;
            if (token < 0) new ReadOnlySpan<float>(_bias + column, _headDim).CopyTo(values);
            else Widen.Row(_x.Pointer, _x.Type, token * _x.RowStride + column, values);
        }
        return to;
    }

    /// <summary>The window's tokens that exist, with where their results go.</summary>
    private int Queries(float** tokens, int top, int left, float** queries, long* results)
    {
        int count = 0;
        for (int i = 0; i < _window * _window; i++)
        {
            int y = top + i / _window, x = left + i % _window;
            if (y >= _height || x >= _width) continue;
            queries[count] = tokens[i];
            results[count++] = (long)y * _width + x;
        }
        return count;
    }

    /// <summary>
    /// Maxima of 2×2 tokens; missing tokens count with the projection's bias, results outside the half-size map are dropped.
    /// </summary>
    private int PooledQueries(float** tokens, int top, int left, float* pooled, float** queries, long* results)
    {
        int half = _window / 2, count = 0;
        for (int i = 0; i < half * half; i++)
        {
            int py = i / half, px = i % half, y = top / 2 + py, x = left / 2 + px;
            if (y >= _height / 2 || x >= _width / 2) continue;
            float** t = tokens + 2 * py * _window + 2 * px;
            float* a = t[0], b = t[1], c = t[_window], d = t[_window + 1];
            if (_pairs is not null)
            {
                var to = (ushort*)pooled + count * _headDim;
                for (int k = 0; k < _headDim; k++)
                {
                    float most = MathF.Max(MathF.Max(Value(a, k), Value(b, k)), MathF.Max(Value(c, k), Value(d, k)));
                    to[k] = BFloat16.FromSingle(most).Bits;
                }
                queries[count] = (float*)to;
            }
            else
            {
                float* to = pooled + count * _headDim;
                for (int k = 0; k < _headDim; k++) to[k] = MathF.Max(MathF.Max(a[k], b[k]), MathF.Max(c[k], d[k]));
                queries[count] = to;
            }
            results[count++] = (long)y * (_width / 2) + x;
        }
        return count;

        static float Value(float* narrow, int k) => new BFloat16(((ushort*)narrow)[k]).ToSingle();
    }
}
