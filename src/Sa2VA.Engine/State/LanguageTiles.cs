using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>What a video's language model is shown, in a state: tiles as the vision tower takes them.</summary>
internal static class LanguageTiles
{
    public static void Write(StateWriter writer, IReadOnlyList<RgbImage> tiles)
    {
        writer.Write(tiles.Count);
        foreach (RgbImage tile in tiles)
        {
            writer.Write(tile.Width);
            writer.Write(tile.Height);
            writer.WriteAll(tile.Pixels);
        }
    }

    /// <param name="reader">The state.</param>
    /// <param name="config">Says which sizes a tile can have.</param>
    public static IReadOnlyList<RgbImage> Read(StateReader reader, Sa2VAConfig config)
    {
        var tiles = new RgbImage[reader.ReadInt("the frames that the language model is shown", 0, ModelFamily.MaxFrames)];
        for (int i = 0; i < tiles.Length; i++)
        {
            int width = reader.Read<int>("a tile's width"), height = reader.Read<int>("a tile's height");
            if (!config.Family.IsFrameTile(width, height, config))
                throw StateReader.Damaged(FormattableString.Invariant($"a tile has {width}×{height} pixels"));
            tiles[i] = new RgbImage(width, height, reader.ReadAll<byte>("a tile", width * height * 3));
        }
        return tiles;
    }
}
