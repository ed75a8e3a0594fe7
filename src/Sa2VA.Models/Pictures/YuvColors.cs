namespace Sa2VA.Models;

/// <summary>
/// What luma and chroma of a video picture mean. A picture does not tell, and the wrong choice shifts all of its colours: ask the camera's
/// or the file's description. Cameras usually give <see cref="Bt601Limited"/>, HD video <see cref="Bt709Limited"/>, JPEG streams (MJPEG)
/// <see cref="Bt601Full"/>.
/// </summary>
public enum YuvEncoding
{
    /// <summary>ITU-R BT.601, luma 16…235 and chroma 16…240.</summary>
    Bt601Limited = 1,
    /// <summary>ITU-R BT.601, all values 0…255.</summary>
    Bt601Full,
    /// <summary>ITU-R BT.709, luma 16…235 and chroma 16…240.</summary>
    Bt709Limited,
    /// <summary>ITU-R BT.709, all values 0…255.</summary>
    Bt709Full,
}

/// <summary>
/// Luma and chroma → red, green, blue: R = l + 2(1 − Kr)·v, B = l + 2(1 − Kb)·u, and G such that Kr·R + Kg·G + Kb·B = l, brought to 0…255
/// and rounded to nearest. Kr, Kb are 0.299, 0.114 (BT.601) or 0.2126, 0.0722 (BT.709), Kg = 1 − Kr − Kb; l, u, v are the stored values
/// with their offsets taken off, stretched to 255 levels. Each product is rounded to 2⁻²¹ of a level.
/// </summary>
internal sealed class YuvColors
{
    private const int FractionBits = 21;
    private const int Half = 1 << (FractionBits - 1);

    private static readonly YuvColors[] All = [.. Enum.GetValues<YuvEncoding>().Order().Select(e => new YuvColors(e))];

    private readonly int[] _luma = new int[256], _redOfV = new int[256], _greenOfU = new int[256], _greenOfV = new int[256],
        _blueOfU = new int[256];

    private YuvColors(YuvEncoding encoding)
    {
        bool limited = encoding is YuvEncoding.Bt601Limited or YuvEncoding.Bt709Limited;
        bool bt601 = encoding is YuvEncoding.Bt601Limited or YuvEncoding.Bt601Full;
        (double kr, double kb) = bt601 ? (0.299, 0.114) : (0.2126, 0.0722);
        double kg = 1 - kr - kb, luma = limited ? 255.0 / 219 : 1, chroma = limited ? 255.0 / 224 : 1;
        for (int i = 0; i < 256; i++)
        {
            _luma[i] = Fixed(luma, i - (limited ? 16 : 0)) + Half;
            _redOfV[i] = Fixed(2 * (1 - kr) * chroma, i - 128);
            _blueOfU[i] = Fixed(2 * (1 - kb) * chroma, i - 128);
            _greenOfU[i] = Fixed(-2 * (1 - kb) * kb / kg * chroma, i - 128);
            _greenOfV[i] = Fixed(-2 * (1 - kr) * kr / kg * chroma, i - 128);
        }
    }

    /// <summary>Those of an encoding.</summary>
    public static YuvColors Of(YuvEncoding encoding) => All[(int)encoding - 1];

    /// <summary>Writes a row as red, green, blue. Each chroma sample counts for two pixels.</summary>
    /// <param name="luma">[width].</param>
    /// <param name="u">Blue's chroma, a sample every <paramref name="step"/> bytes.</param>
    /// <param name="v">Red's chroma, likewise.</param>
    /// <param name="step">1, or 2 where both are interleaved.</param>
    /// <param name="rgb">[width, 3].</param>
    public void Row(ReadOnlySpan<byte> luma, ReadOnlySpan<byte> u, ReadOnlySpan<byte> v, int step, Span<byte> rgb)
    {
        for (int x = 0, at = 0; x < luma.Length; at += step)
        {
            int red = _redOfV[v[at]], green = _greenOfU[u[at]] + _greenOfV[v[at]], blue = _blueOfU[u[at]];
            for (int end = Math.Min(x + 2, luma.Length); x < end; x++)
            {
                int l = _luma[luma[x]];
                rgb[3 * x] = Level(l + red);
                rgb[3 * x + 1] = Level(l + green);
                rgb[3 * x + 2] = Level(l + blue);
            }
        }
    }

    private static byte Level(int value) => (byte)Math.Clamp(value >> FractionBits, 0, 255);

    private static int Fixed(double factor, int value) => (int)Math.Round(factor * value * (1 << FractionBits));
}
