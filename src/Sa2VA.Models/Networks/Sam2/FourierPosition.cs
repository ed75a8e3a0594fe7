using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Random Fourier code of image positions (Tancik et al. 2020, docs/model/mask-decoder.md#fourier-code): all sines first, then all cosines.
/// </summary>
internal sealed class FourierPosition
{
    private const float TwoPi = 2 * MathF.PI;
    private readonly Weight _matrix;
    private readonly Lazy<float[]> _gaussian;
    private readonly int _half;

    public FourierPosition(WeightScope w, int width)
    {
        _half = width / 2;
        _matrix = w.Get("positional_encoding_gaussian_matrix", 2, _half);
        _gaussian = new Lazy<float[]>(_matrix.ReadValues);
    }

    /// <summary>Code of the point (x, y), each 0…1 across the image.</summary>
    public void Encode(float x, float y, Span<float> code)
    {
        float[] gaussian = _gaussian.Value;
        float u = 2 * x - 1, v = 2 * y - 1;
        for (int k = 0; k < _half; k++)
        {
            float phase = TwoPi * (u * gaussian[k] + v * gaussian[_half + k]);
            code[k] = MathF.Sin(phase);
            code[_half + k] = MathF.Cos(phase);
        }
    }

    /// <summary>Codes of the cell centres of a square grid: a constant [side², channels].</summary>
    public Tensor Grid(GraphBuilder g, int side) => g.Constant(
        FormattableString.Invariant($"fourier positions, grid {side}, channels {2 * _half}"), new Shape(side * side, 2 * _half),
        to => Fill(to, side, side), _matrix);

    /// <summary>Writes the codes of the cell centres of a height×width grid: [height, width, channels].</summary>
    public void Fill(Span<float> table, int height, int width)
    {
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                Encode((x + 0.5f) / width, (y + 0.5f) / height, table.Slice((y * width + x) * 2 * _half, 2 * _half));
    }
}
