using System.Text;

namespace Sa2VA.Models;

/// <summary>
/// How a picture is written in a prompt (docs/model/prompt.md): context tokens for its tiles, then for each region's cells.
/// </summary>
internal static class PicturePrompt
{
    /// <summary>Stands for one token of a tile.</summary>
    public const string ContextToken = "<IMG_CONTEXT>";

    /// <summary>The text of a picture.</summary>
    /// <param name="media">Tiles and regions.</param>
    /// <param name="tokensPerTile">Context tokens of a tile.</param>
    public static string Text(PromptMedia media, int tokensPerTile)
    {
        var s = new StringBuilder();
        if (media.IsVideo)
        {
            for (int i = 0; i < media.Tiles.Count; i++) Context(s.Append(i > 0 ? "\n<img>" : "<img>"), tokensPerTile).Append("</img>");
            return s.ToString();
        }
        Context(s.Append("<img>"), tokensPerTile * media.Tiles.Count).Append("</img>");
        if (media.Regions.Count == 0) return s.ToString();
        s.Append(FormattableString.Invariant($"\nThere are {media.Regions.Count} part regions in the picture: "));
        for (int i = 0; i < media.Regions.Count; i++)
        {
            s.Append(i > 0 ? ", " : "").Append(FormattableString.Invariant($"region{i + 1}<vp>"));
            Context(s, (int)media.Regions[i].Area).Append("</vp>");
        }
        return s.Append(".\n").ToString();
    }

    /// <summary>The image rows of its context tokens: every tile's in order, then each region's cells of the last tile.</summary>
    /// <param name="media">Tiles and regions.</param>
    /// <param name="tokensPerTile">Context tokens of a tile.</param>
    public static int[] Rows(PromptMedia media, int tokensPerTile)
    {
        int rows = media.Tiles.Count * tokensPerTile, last = rows - tokensPerTile;
        return [.. Enumerable.Range(0, rows),
            .. media.Regions.SelectMany(r => Enumerable.Range(0, tokensPerTile).Where(c => r.Pixels[c] != 0).Select(c => last + c))];
    }

    private static StringBuilder Context(StringBuilder s, int count) => s.Insert(s.Length, ContextToken, count);
}
