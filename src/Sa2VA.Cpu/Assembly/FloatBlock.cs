using Iced.Intel;
using Sa2VA.Core;
using static Iced.Intel.AssemblerRegisters;

namespace Sa2VA.Cpu;

/// <summary>
/// Assembles <see cref="FloatTile"/>s: tile[r][0…32) (+)= Σ_k a[k][r]·b[k][0…32), each output a chain of fused multiply-adds in increasing
/// k, as <see cref="MicroKernel"/> has it, to the bit. Called as void(float* a, byte* b, nint depth, float* tile).
/// </summary>
internal readonly struct FloatBlock
{
    /// <summary>Rows of a panel from the one that is read to the one that is fetched, as in <see cref="MicroKernel"/>.</summary>
    private const int RowsAhead = 64;

    private const int Columns = PackedWeights.PanelWidth;

    private readonly Assembler _c;
    private readonly FloatTile _tile;
    private readonly int _size;

    // Vectors: sums first, then a pair of b's, two in turn for an element of a, and one for what is being widened.
    private readonly int _b, _x, _raw;

    private FloatBlock(Assembler c, FloatTile tile)
    {
        (_c, _tile, _size) = (c, tile, tile.Weights.Size());
        _b = 2 * (tile.Level == SimdLevel.V512 ? 12 : 6);
        (_x, _raw) = (_b + 2, tile.Level == SimdLevel.V512 ? _b + 4 : _b + 3);
    }

    /// <summary>Bytes of a row of the panel.</summary>
    private int RowBytes => Columns * _size;

    /// <summary>Adds a tile's code to a program.</summary>
    public static void Assemble(Assembler c, FloatTile tile, Abi abi)
    {
        abi.Enter(c);
        var block = new FloatBlock(c, tile);
        WideningConstants constants = WideningConstants.Declare(c);
        for (int pair = 0; pair < Columns / (2 * tile.Lanes); pair++) block.Pair(pair, constants);
        c.vzeroupper();
        abi.Leave(c);
        if (tile.Weights != DType.F32) constants.Emit(c);
    }

    /// <summary>All steps for two vectors of outputs, and their store.</summary>
    private void Pair(int pair, in WideningConstants constants)
    {
        Label loop = _c.CreateLabel(), rest = _c.CreateLabel(), one = _c.CreateLabel(), done = _c.CreateLabel();
        for (int i = 0; i < 2 * _tile.Rows; i++) Zero(i);
        _c.mov(rax, Abi.A);
        _c.lea(r10, __[Abi.B + pair * (_size == 4 ? 8 : 4) * _tile.Lanes]);
        _c.mov(r11, Abi.Depth);
        _c.sub(r11, FloatTile.Unrolled);
        _c.jl(rest);
        _c.Label(ref loop);
        Steps(FloatTile.Unrolled, constants);
        _c.sub(r11, FloatTile.Unrolled);
        _c.jge(loop);
        _c.Label(ref rest);
        _c.add(r11, FloatTile.Unrolled);
        _c.je(done);
        _c.Label(ref one);
        Steps(1, constants);
        _c.sub(r11, 1);
        _c.jne(one);
        _c.Label(ref done);
        for (int row = 0; row < _tile.Rows; row++)
        {
            int at = (row * Columns + pair * (_size == 4 ? 2 : 1) * _tile.Lanes) * sizeof(float);
            Put(2 * row, at);
            Put(2 * row + 1, at + (_size == 4 ? _tile.Lanes : Columns / 2) * sizeof(float));
        }
    }

    private void Steps(int count, in WideningConstants constants)
    {
        for (int step = 0; step < count; step++)
        {
            int b = step * RowBytes;
            if (_size == 2) _c.prefetcht0(__[r10 + b + RowsAhead * RowBytes]);
            switch (_tile.Weights)
            {
                case DType.F32: LoadFloats(b); break;
                case DType.BF16: LoadBFloat16(b, constants); break;
                default: LoadHalf(b, constants); break;
            }
            for (int row = 0; row < _tile.Rows; row++)
            {
                int x = _x + row % 2, a = (step * _tile.Rows + row) * sizeof(float);
                if (_tile.Level == SimdLevel.V512) _c.vbroadcastss(Z(x), __dword_ptr[rax + a]);
                else _c.vbroadcastss(Y(x), __dword_ptr[rax + a]);
                MultiplyAdd(2 * row, x, _b);
                MultiplyAdd(2 * row + 1, x, _b + 1);
            }
        }
        _c.add(rax, count * _tile.Rows * sizeof(float));
        _c.add(r10, count * RowBytes);
    }

    private void LoadFloats(int at)
    {
        Load(_b, at);
        Load(_b + 1, at + _tile.Lanes * sizeof(float));
    }

    // Two bfloat16 in 32 bits: the lower moved up, and what is left when the lower is masked out.
    private void LoadBFloat16(int at, in WideningConstants constants)
    {
        Load(_b + 1, at);
        Shift(_b, _b + 1, left: 16);
        And(_b + 1, _b + 1, constants.UpperHalf);
    }

    // Exponent and mantissa moved into place read as value·2^−112; the multiplication puts the bias right, for subnormals too.
    private void LoadHalf(int at, in WideningConstants constants)
    {
        Load(_raw, at);
        Shift(_b, _raw, left: 16);
        And(_b + 1, _b, constants.Sign);
        And(_b, _b, constants.UpperMagnitude);
        Shift(_b, _b, left: -3);
        Multiply(_b, _b, constants.Bias);
        Or(_b, _b, _b + 1);
        And(_b + 1, _raw, constants.UpperMagnitude);
        Shift(_b + 1, _b + 1, left: -3);
        Multiply(_b + 1, _b + 1, constants.Bias);
        And(_raw, _raw, constants.Sign);
        Or(_b + 1, _b + 1, _raw);
    }

    private void Put(int sum, int at)
    {
        if (_tile.Level == SimdLevel.V512)
        {
            if (_tile.Adds) _c.vaddps(Z(sum), Z(sum), __zmmword_ptr[Abi.Tile + at]);
            _c.vmovups(__zmmword_ptr[Abi.Tile + at], Z(sum));
        }
        else
        {
            if (_tile.Adds) _c.vaddps(Y(sum), Y(sum), __ymmword_ptr[Abi.Tile + at]);
            _c.vmovups(__ymmword_ptr[Abi.Tile + at], Y(sum));
        }
    }

    private void Zero(int to)
    {
        if (_tile.Level == SimdLevel.V512) _c.vpxord(Z(to), Z(to), Z(to));
        else _c.vxorps(Y(to), Y(to), Y(to));
    }

    private void Load(int to, int at)
    {
        if (_tile.Level == SimdLevel.V512) _c.vmovups(Z(to), __zmmword_ptr[r10 + at]);
        else _c.vmovups(Y(to), __ymmword_ptr[r10 + at]);
    }

    private void MultiplyAdd(int sum, int x, int b)
    {
        if (_tile.Level == SimdLevel.V512) _c.vfmadd231ps(Z(sum), Z(x), Z(b));
        else _c.vfmadd231ps(Y(sum), Y(x), Y(b));
    }

    private void Shift(int to, int from, int left)
    {
        if (_tile.Level == SimdLevel.V512 && left > 0) _c.vpslld(Z(to), Z(from), (byte)left);
        else if (_tile.Level == SimdLevel.V512) _c.vpsrld(Z(to), Z(from), (byte)-left);
        else if (left > 0) _c.vpslld(Y(to), Y(from), (byte)left);
        else _c.vpsrld(Y(to), Y(from), (byte)-left);
    }

    private void And(int to, int from, Label constant)
    {
        if (_tile.Level == SimdLevel.V512) _c.vpandd(Z(to), Z(from), __dword_bcst[constant]);
        else _c.vpand(Y(to), Y(from), __ymmword_ptr[constant]);
    }

    private void Multiply(int to, int from, Label constant)
    {
        if (_tile.Level == SimdLevel.V512) _c.vmulps(Z(to), Z(from), __dword_bcst[constant]);
        else _c.vmulps(Y(to), Y(from), __ymmword_ptr[constant]);
    }

    private void Or(int to, int a, int b)
    {
        if (_tile.Level == SimdLevel.V512) _c.vpord(Z(to), Z(a), Z(b));
        else _c.vpor(Y(to), Y(a), Y(b));
    }

    private static AssemblerRegisterYMM Y(int number) => new(Register.YMM0 + number);

    private static AssemblerRegisterZMM Z(int number) => new(Register.ZMM0 + number);
}

/// <summary>What widening in registers reads from beside the code, each eight times over.</summary>
internal readonly struct WideningConstants
{
    private WideningConstants(Label upperHalf, Label upperMagnitude, Label sign, Label bias) =>
        (UpperHalf, UpperMagnitude, Sign, Bias) = (upperHalf, upperMagnitude, sign, bias);

    /// <summary>The upper of two sixteen-bit values.</summary>
    public Label UpperHalf { get; }

    /// <summary>The same without its sign.</summary>
    public Label UpperMagnitude { get; }

    /// <summary>Its sign.</summary>
    public Label Sign { get; }

    /// <summary>2^112, the difference of the exponents' biases.</summary>
    public Label Bias { get; }

    public static WideningConstants Declare(Assembler c) => new(c.CreateLabel(), c.CreateLabel(), c.CreateLabel(), c.CreateLabel());

    public void Emit(Assembler c)
    {
        Emit(c, UpperHalf, 0xffff0000);
        Emit(c, UpperMagnitude, 0x7fff0000);
        Emit(c, Sign, 0x80000000);
        Emit(c, Bias, BitConverter.SingleToUInt32Bits(5.192296858534828e33f));
    }

    private static void Emit(Assembler c, Label label, uint value)
    {
        c.Label(ref label);
        for (int i = 0; i < 8; i++) c.dd(value);
    }
}
