using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>Pictures in a state: how many, and each behind its size.</summary>
internal static class PictureList
{
    public static void Write(StateWriter writer, IReadOnlyList<RgbImage> pictures)
    {
        writer.Write(pictures.Count);
        foreach (RgbImage picture in pictures)
        {
            writer.Write(picture.Width);
            writer.Write(picture.Height);
            writer.WriteAll(picture.Pixels);
        }
    }

    /// <param name="reader">The state.</param>
    /// <param name="what">What they are, for messages.</param>
    /// <param name="most">Most pictures.</param>
    /// <param name="fits">Says which sizes one can have.</param>
    public static IReadOnlyList<RgbImage> Read(StateReader reader, string what, int most, Func<int, int, bool> fits)
    {
        var pictures = new RgbImage[reader.ReadInt($"the number of {what}", 0, most)];
        for (int i = 0; i < pictures.Length; i++)
        {
            int width = reader.Read<int>($"a width of {what}"), height = reader.Read<int>($"a height of {what}");
            if (!PixelSize.IsWithin(width, height) || !fits(width, height))
                throw StateReader.Damaged(FormattableString.Invariant($"among {what} is one of {width}×{height} pixels"));
            pictures[i] = new RgbImage(width, height, reader.ReadAll<byte>($"the pixels of {what}", width * height * 3));
        }
        return pictures;
    }
}
