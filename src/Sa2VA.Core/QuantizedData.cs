namespace Sa2VA.Core;

/// <summary>
/// A matrix that is stored in codes of 8 or 4 bits and scales (docs/model/quantized.md) while it is open: of each row its codes, code +
/// 2^(bits − 1), two of 4 bits in a byte, the even input in the lower half, and a BF16 scale for each group of inputs.
/// </summary>
public sealed unsafe class QuantizedData : IDisposable
{
    private readonly WeightData _codes, _scales;
    private readonly int _rowBytes, _groups;

    /// <param name="name">The matrix.</param>
    /// <param name="bits">8 or 4.</param>
    /// <param name="codes">U8 [rows, bytes of a row]; disposed with this.</param>
    /// <param name="scales">BF16 [rows, groups]; disposed with this.</param>
    /// <exception cref="CheckpointException">The two do not belong together.</exception>
    public QuantizedData(string name, int bits, WeightData codes, WeightData scales)
    {
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(scales);
        if (Problem(bits, codes.Info, scales.Info, out Shape shape) is { } problem)
            throw new CheckpointException($"Tensor '{name}' cannot be read: {problem}.");
        (Name, Bits, Shape, _codes, _scales) = (name, bits, shape, codes, scales);
        (_rowBytes, _groups) = (codes.Info.Shape[1], scales.Info.Shape[1]);
    }

    /// <summary>The matrix.</summary>
    public string Name { get; }

    /// <summary>Bits of a code: 8 or 4.</summary>
    public int Bits { get; }

    /// <summary>Rows (outputs) and inputs.</summary>
    public Shape Shape { get; }

    /// <summary>Bytes as stored.</summary>
    public long Bytes => _codes.Info.Bytes + _scales.Info.Bytes;

    /// <summary>What keeps two tensors from being a matrix's codes and scales; null for nothing.</summary>
    /// <param name="bits">8 or 4.</param>
    /// <param name="codes">The codes.</param>
    /// <param name="scales">The scales.</param>
    /// <param name="shape">The matrix's shape.</param>
    public static string? Problem(int bits, WeightInfo codes, WeightInfo scales, out Shape shape)
    {
        shape = default;
        if (bits is not (8 or 4)) return FormattableString.Invariant($"codes have 8 or 4 bits, not {bits}");
        int perByte = 8 / bits;
        if (codes.Type != DType.U8 || codes.Shape.Rank != 2 || codes.Shape[1] > int.MaxValue / perByte)
            return $"its codes '{codes.Name}' are {codes.Type} {codes.Shape}, not U8 [outputs, bytes]";
        shape = new Shape(codes.Shape[0], codes.Shape[1] * perByte);
        var needed = new Shape(shape[0], GroupQuantization.Groups(shape[1]));
        return scales.Type == DType.BF16 && scales.Shape == needed ? null
            : $"its scales '{scales.Name}' are {scales.Type} {scales.Shape}, and a group of {GroupQuantization.Group} of its inputs has "
                + $"one each, BF16 {needed}";
    }

    /// <summary>Bytes of a row's codes.</summary>
    public ReadOnlySpan<byte> Codes(int row) =>
        (uint)row < (uint)Shape[0] ? new(_codes.Pointer + (long)row * _rowBytes, _rowBytes)
            : throw new ArgumentOutOfRangeException(nameof(row));

    /// <summary>A row's scales.</summary>
    public ReadOnlySpan<BFloat16> Scales(int row) =>
        (uint)row < (uint)Shape[0] ? new((BFloat16*)_scales.Pointer + (long)row * _groups, _groups)
            : throw new ArgumentOutOfRangeException(nameof(row));

    /// <inheritdoc/>
    public void Dispose()
    {
        _codes.Dispose();
        _scales.Dispose();
    }
}
