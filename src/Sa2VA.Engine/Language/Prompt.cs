using System.Text;
using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>What of a prompt stands for a picture: tiles that are already in the image rows, and regions of the last tile.</summary>
/// <param name="Tiles">Tiles, thumbnail last; 0 for text alone.</param>
/// <param name="IsVideo">True when every tile is a frame.</param>
/// <param name="Regions">Cells of each region [n, n], n² = tokens per tile.</param>
internal sealed record PromptMedia(int Tiles, bool IsVideo, IReadOnlyList<Mask> Regions);

/// <summary>From a user's text to the token ids that the language model is given (docs/model/prompt.md).</summary>
internal sealed class Prompt(Tokenizer tokenizer, ChatTemplate template, int tokensPerTile)
{
    public const string ImageTag = "<image>", ContextToken = "<IMG_CONTEXT>";

    private readonly int _contextId = tokenizer.TryGetId(ContextToken, out int id) ? id
        : throw new CheckpointException($"The tokenizer has no token {ContextToken}; its files do not belong to a Sa2VA checkpoint.");

    /// <summary>Id of the token that stands for a part of a picture.</summary>
    public int ContextId => _contextId;

    /// <summary>The ids of a first turn, or of a turn behind a literal past.</summary>
    /// <param name="text">The user's text.</param>
    /// <param name="pastText">Put before it verbatim, with expanded context tokens; usually empty.</param>
    /// <param name="media">What the tag stands for.</param>
    /// <param name="specials">How text that spells an added token is read.</param>
    public int[] Encode(string text, string pastText, PromptMedia media, SpecialTokenText specials)
    {
        string expanded = media.Tiles == 0 ? text.Replace(ImageTag, "", StringComparison.Ordinal) : Expand(text, pastText, media);
        int[] ids = specials == SpecialTokenText.Parse
            ? tokenizer.Encode(pastText + template.BeforeText + expanded + template.AfterText)
            : EncodePlain(text, pastText, media);
        return PlaceRows(ids, media);
    }

    /// <summary>The ids that continue a conversation: what ends the last answer, a separator, and the next turn.</summary>
    /// <param name="history">Ids so far; image rows as −1 − row.</param>
    /// <param name="ended">True if the last answer ended with its stop marker.</param>
    /// <param name="text">The user's text, without a tag.</param>
    /// <param name="specials">How text that spells an added token is read.</param>
    public int[] Continue(IReadOnlyList<int> history, bool ended, string text, SpecialTokenText specials)
    {
        if (text.Contains(ImageTag, StringComparison.Ordinal))
            throw new PromptException($"A follow-up question speaks of the picture that is there already; remove {ImageTag} from it.");
        string before = (ended ? "" : template.Suffix) + template.Separator + template.BeforeText;
        IEnumerable<int> turn = specials == SpecialTokenText.Parse
            ? Ids(before + text + template.AfterText, SpecialTokenText.Parse)
            : [.. Ids(before, SpecialTokenText.Parse), .. Ids(text, SpecialTokenText.PlainText),
                .. Ids(template.AfterText, SpecialTokenText.Parse)];
        int[] ids = [.. history, .. turn];
        if (Array.IndexOf(ids, _contextId) >= 0) throw UnexpectedContext();
        return ids;
    }

    private string Expand(string text, string pastText, PromptMedia media)
    {
        int first = text.IndexOf(ImageTag, StringComparison.Ordinal);
        if (first < 0 && pastText.Length == 0)
            throw new PromptException($"The prompt lacks {ImageTag}, which says where the picture belongs.");
        if (first >= 0 && pastText.Length > 0)
            throw new PromptException($"A prompt with a past cannot hold {ImageTag}: the past has the picture already.");
        if (first >= 0 && text.IndexOf(ImageTag, first + 1, StringComparison.Ordinal) >= 0)
            throw new PromptException($"The prompt holds {ImageTag} more than once; there is one picture.");
        return first < 0 ? text : text.Replace(ImageTag, Picture(media), StringComparison.Ordinal);
    }

    private string Picture(PromptMedia media)
    {
        var s = new StringBuilder();
        if (media.IsVideo)
        {
            for (int i = 0; i < media.Tiles; i++) Context(s.Append(i > 0 ? "\n<img>" : "<img>"), tokensPerTile).Append("</img>");
            return s.ToString();
        }
        Context(s.Append("<img>"), tokensPerTile * media.Tiles).Append("</img>");
        if (media.Regions.Count == 0) return s.ToString();
        s.Append(FormattableString.Invariant($"\nThere are {media.Regions.Count} part regions in the picture: "));
        for (int i = 0; i < media.Regions.Count; i++)
        {
            s.Append(i > 0 ? ", " : "").Append(FormattableString.Invariant($"region{i + 1}<vp>"));
            Context(s, (int)media.Regions[i].Area).Append("</vp>");
        }
        return s.Append(".\n").ToString();
    }

    private static StringBuilder Context(StringBuilder s, int count) => s.Insert(s.Length, ContextToken, count);

    /// <summary>Context tokens become image rows: every tile's in order, then each region's cells of the last tile.</summary>
    private int[] PlaceRows(int[] ids, PromptMedia media)
    {
        int row = 0, rows = media.Tiles * tokensPerTile, last = rows - tokensPerTile;
        int[] regionRows = [.. media.Regions.SelectMany(r => Enumerable.Range(0, tokensPerTile).Where(c => r.Pixels[c] != 0))];
        int found = ids.AsSpan().Count(_contextId);
        if (found != rows + regionRows.Length) throw UnexpectedContext();
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] != _contextId) continue;
            ids[i] = -1 - (row < rows ? row : last + regionRows[row - rows]);
            row++;
        }
        return ids;
    }

    private int[] EncodePlain(string text, string pastText, PromptMedia media)
    {
        // The tag keeps its meaning; everything else that the user typed is plain.
        int tag = media.Tiles == 0 ? -1 : text.IndexOf(ImageTag, StringComparison.Ordinal);
        string before = tag < 0 ? text : text[..tag], after = tag < 0 ? "" : text[(tag + ImageTag.Length)..];
        if (media.Tiles == 0) before = before.Replace(ImageTag, "", StringComparison.Ordinal);
        var ids = new List<int>(tokenizer.Encode(pastText + template.BeforeText));
        ids.AddRange(Ids(before, SpecialTokenText.PlainText));
        if (tag >= 0) ids.AddRange(Ids(Picture(media), SpecialTokenText.Parse));
        ids.AddRange(Ids(after, SpecialTokenText.PlainText));
        ids.AddRange(Ids(template.AfterText, SpecialTokenText.Parse));
        return [.. ids];
    }

    /// <summary>Ids of a text that is no beginning: without the mark that some tokenizers put first.</summary>
    private ReadOnlySpan<int> IdsSpan(string text, SpecialTokenText specials)
    {
        if (text.Length == 0) return [];
        ReadOnlySpan<int> ids = tokenizer.Encode(text, specials);
        return tokenizer.BosId is { } bos && ids.Length > 0 && ids[0] == bos ? ids[1..] : ids;
    }

    private int[] Ids(string text, SpecialTokenText specials) => IdsSpan(text, specials).ToArray();

    private static PromptException UnexpectedContext() => new(
        $"The text holds {ContextToken}, which stands for parts of the picture and cannot be typed; remove it, or read special "
        + "tokens as plain text.");
}
