using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Resizes 8-bit RGB exactly as PyTorch does with bicubic interpolation and antialiasing: Pillow's taps and passes, but weights of 16 bits,
/// whose fixed point is as fine as the axis's largest weight allows (docs/model/preprocessing.md#the-second-bicubic-resize).
/// </summary>
internal static class TorchBicubic
{
    /// <summary>Resizes an image; the aspect ratio is not kept.</summary>
    /// <param name="image">The source.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <returns>A new image, or the same one if it has that size.</returns>
    /// <exception cref="MediaException">The new size is outside the limits of <see cref="PixelSize"/>.</exception>
    public static RgbImage Resize(RgbImage image, int width, int height)
    {
        PixelSize.Check(width, height, "The target of a resize");
        if (image.Width != width) image = Horizontal(image, new Axis(image.Width, width));
        return image.Height == height ? image : Vertical(image, new Axis(image.Height, height));
    }

    private static RgbImage Horizontal(RgbImage image, Axis axis)
    {
        int width = axis.Taps.First.Length;
        var pixels = new byte[width * image.Height * 3];
        Parallel.For(0, image.Height, y =>
        {
            ReadOnlySpan<byte> from = image.Row(y);
            for (int x = 0; x < width; x++)
            {
                ReadOnlySpan<int> weights = axis.WeightsOf(x);
                ReadOnlySpan<byte> taps = from[(axis.Taps.First[x] * 3)..];
                int red = axis.Half, green = axis.Half, blue = axis.Half;
                for (int k = 0; k < weights.Length; k++)
                {
                    red += weights[k] * taps[3 * k];
                    green += weights[k] * taps[3 * k + 1];
                    blue += weights[k] * taps[3 * k + 2];
                }
                int to = (y * width + x) * 3;
                (pixels[to], pixels[to + 1], pixels[to + 2]) = (axis.Level(red), axis.Level(green), axis.Level(blue));
            }
        });
        return new RgbImage(width, image.Height, pixels);
    }

    private static RgbImage Vertical(RgbImage image, Axis axis)
    {
        int height = axis.Taps.First.Length, stride = image.Width * 3;
        var pixels = new byte[height * stride];
        Parallel.For(0, height, y =>
        {
            ReadOnlySpan<int> weights = axis.WeightsOf(y);
            Span<int> sums = new int[stride];
            sums.Fill(axis.Half);
            for (int k = 0; k < weights.Length; k++)
            {
                ReadOnlySpan<byte> row = image.Row(axis.Taps.First[y] + k);
                for (int i = 0; i < sums.Length; i++) sums[i] += weights[k] * row[i];
            }
            for (int i = 0; i < sums.Length; i++) pixels[y * stride + i] = axis.Level(sums[i]);
        });
        return new RgbImage(image.Width, height, pixels);
    }

    private sealed class Axis
    {
        private const int MostFractionBits = 22, WeightBits = 15;

        private readonly int[] _weights;
        private readonly int _fractionBits;

        public Axis(int from, int to)
        {
            Taps = new BicubicWeights(from, to);
            double largest = Math.Max(0, Taps.Weights.Max());
            while (_fractionBits < MostFractionBits && (int)(0.5 + largest * (1 << (_fractionBits + 1))) < 1 << WeightBits)
                _fractionBits++;
            _weights = Array.ConvertAll(Taps.Weights, w => (int)(w * (1 << _fractionBits) + (w < 0 ? -0.5 : 0.5)));
            Half = _fractionBits > 0 ? 1 << (_fractionBits - 1) : 0;
        }

        public BicubicWeights Taps { get; }

        /// <summary>What a sum begins with, so that it is rounded.</summary>
        public int Half { get; }

        public ReadOnlySpan<int> WeightsOf(int target) => _weights.AsSpan(target * Taps.Stride, Taps.Count[target]);

        public byte Level(int sum) => (byte)Math.Clamp(sum >> _fractionBits, 0, 255);
    }
}
