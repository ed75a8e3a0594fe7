using System.Buffers.Binary;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>How sure the model is of each pixel, as a 16-bit grey PNG: 0 is outside, 65535 inside.</summary>
public static class SoftMaskFile
{
    /// <summary>Writes probabilities, the sigmoid of logits rounded to 1/65535; the file appears whole or not at all.</summary>
    /// <param name="path">Where.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="logits">[height, width], such as ObjectMask.Logits.</param>
    /// <exception cref="MediaException">It cannot be written, there are too few or many logits, or one is NaN.</exception>
    public static void Save(string path, int width, int height, ReadOnlySpan<float> logits)
    {
        PixelSize.Check(width, height, path);
        if (logits.Length != width * height)
            throw new MediaException($"{path}: {logits.Length} logits are no picture of {width}×{height} pixels; ask for logits first.");
        var levels = new ushort[logits.Length];
        for (int i = 0; i < levels.Length; i++)
        {
            double probability = 1 / (1 + Math.Exp(-(double)logits[i]));
            if (double.IsNaN(probability)) throw new MediaException($"{path}: the logit of pixel ({i % width}, {i / width}) is NaN.");
            levels[i] = (ushort)Math.Round(probability * ushort.MaxValue);
        }
        PngWriter.Write(path, width, height, PngKind.DeepGrey, (y, pixels) =>
        {
            for (int x = 0; x < width; x++) BinaryPrimitives.WriteUInt16BigEndian(pixels[(2 * x)..], levels[y * width + x]);
        });
    }
}
