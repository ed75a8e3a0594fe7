using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>From a user's text to the token ids that the language model is given (docs/model/prompt.md).</summary>
internal sealed class Prompt(Tokenizer tokenizer, ChatTemplate template, Sa2VAConfig config)
{
    public const string ImageTag = "<image>";

    private readonly ModelFamily _family = config.Family;
    private readonly int _contextId = tokenizer.TryGetId(config.Family.ContextToken, out int id) ? id
        : throw new CheckpointException(
            $"The tokenizer has no token {config.Family.ContextToken}; its files do not belong to a Sa2VA checkpoint.");

    /// <summary>Id of the token that stands for a part of a picture.</summary>
    public int ContextId => _contextId;

    /// <summary>The ids of a first turn.</summary>
    /// <param name="text">The user's text.</param>
    /// <param name="media">What the tag stands for.</param>
    /// <param name="specials">How text that spells an added token is read.</param>
    public int[] Encode(string text, PromptMedia media, SpecialTokenText specials)
    {
        string expanded = media.Tiles.Count == 0 ? text.Replace(ImageTag, "", StringComparison.Ordinal) : Expand(text, media);
        return specials == SpecialTokenText.Parse
            ? EncodeSpelled(template.Turn(expanded), media)
            : PlaceRows([.. EncodePlain(tokenizer.Encode(template.System + template.BeforeText), text, media)], media);
    }

    /// <summary>The ids of a whole prompt as upstream spells it: markers, turns, context tokens.</summary>
    public int[] EncodeSpelled(string spelled, PromptMedia media) => PlaceRows(tokenizer.Encode(spelled), media);

    /// <summary>The ids that continue a conversation: what ends the last answer, a separator, and the next turn.</summary>
    /// <param name="history">Ids so far; image rows as −1 − row.</param>
    /// <param name="ended">True if the last answer ended with its stop marker.</param>
    /// <param name="text">The user's text; with a tag where the turn shows a picture.</param>
    /// <param name="media">The picture that the turn shows; without tiles for none.</param>
    /// <param name="specials">How text that spells an added token is read.</param>
    public int[] Continue(IReadOnlyList<int> history, bool ended, string text, PromptMedia media, SpecialTokenText specials)
    {
        string before = (ended ? "" : template.Suffix) + template.Separator + template.BeforeText;
        int[] turn = specials == SpecialTokenText.Parse
            ? Ids(before + (media.Tiles.Count > 0 ? Expand(text, media) : text) + template.AfterText, SpecialTokenText.Parse)
            : [.. EncodePlain(Ids(before, SpecialTokenText.Parse), text, media)];
        return [.. history, .. PlaceRows(turn, media)];
    }

    /// <summary>The ids that an answer is made to begin with.</summary>
    /// <param name="prefix">Its text, in which special tokens have their meaning; null or empty for none.</param>
    /// <param name="stop">What ends an answer.</param>
    public int[] Begin(string? prefix, StopRule stop)
    {
        if (string.IsNullOrEmpty(prefix)) return [];
        Tokenizer.CheckUnicode(prefix);
        if (stop.Words.FirstOrDefault(w => prefix.Contains(w, StringComparison.Ordinal)) is { } word)
            throw new PromptException($"The answer cannot begin with {word}, which ends answers; remove it there.");
        int[] ids = Ids(prefix, SpecialTokenText.Parse);
        if (Array.IndexOf(ids, _contextId) >= 0) throw UnexpectedContext();
        return Array.FindIndex(ids, stop.IsStopId) < 0 ? ids
            : throw new PromptException("The answer cannot begin with a token that ends answers; remove it there.");
    }

    private string Expand(string text, PromptMedia media)
    {
        if (_family.PutsPictureFirst) return Picture(media) + text.Replace(ImageTag, "", StringComparison.Ordinal);
        int first = text.IndexOf(ImageTag, StringComparison.Ordinal);
        if (first < 0) throw new PromptException($"The prompt lacks {ImageTag}, which says where the picture belongs.");
        if (text.IndexOf(ImageTag, first + 1, StringComparison.Ordinal) >= 0)
            throw new PromptException($"The prompt holds {ImageTag} more than once; there is one picture.");
        return text.Replace(ImageTag, Picture(media), StringComparison.Ordinal);
    }

    private string Picture(PromptMedia media) => _family.PictureText(media, config);

    /// <summary>Context tokens become the image rows that they stand for.</summary>
    private int[] PlaceRows(int[] ids, PromptMedia media)
    {
        IReadOnlyList<int> rows = _family.PictureRows(media, config);
        if (ids.AsSpan().Count(_contextId) != rows.Count) throw UnexpectedContext();
        for (int i = 0, context = 0; i < ids.Length; i++)
            if (ids[i] == _contextId) ids[i] = -1 - media.FirstRow - rows[context++];
        return ids;
    }

    /// <param name="begin">Ids before the user's text.</param>
    /// <param name="text">The user's text.</param>
    /// <param name="media">What the tag stands for.</param>
    private List<int> EncodePlain(int[] begin, string text, PromptMedia media)
    {
        // The tag keeps its meaning; everything else that the user typed is plain.
        bool hasPicture = media.Tiles.Count > 0;
        if (hasPicture && _family.PutsPictureFirst) text = ImageTag + text.Replace(ImageTag, "", StringComparison.Ordinal);
        int tag = hasPicture ? text.IndexOf(ImageTag, StringComparison.Ordinal) : -1;
        string before = tag < 0 ? text : text[..tag], after = tag < 0 ? "" : text[(tag + ImageTag.Length)..];
        if (!hasPicture) before = before.Replace(ImageTag, "", StringComparison.Ordinal);
        var ids = new List<int>(begin);
        ids.AddRange(Ids(before, SpecialTokenText.PlainText));
        if (tag >= 0) ids.AddRange(Ids(Picture(media), SpecialTokenText.Parse));
        ids.AddRange(Ids(after, SpecialTokenText.PlainText));
        ids.AddRange(Ids(template.AfterText, SpecialTokenText.Parse));
        return ids;
    }

    /// <summary>Ids of a text that is no beginning: without the mark that some tokenizers put first.</summary>
    private ReadOnlySpan<int> IdsSpan(string text, SpecialTokenText specials)
    {
        if (text.Length == 0) return [];
        ReadOnlySpan<int> ids = tokenizer.Encode(text, specials);
        return tokenizer.BosId is { } bos && ids.Length > 0 && ids[0] == bos ? ids[1..] : ids;
    }

    private int[] Ids(string text, SpecialTokenText specials) => IdsSpan(text, specials).ToArray();

    private PromptException UnexpectedContext() => new(
        $"The text holds {_family.ContextToken}, which stands for parts of the picture and cannot be typed; remove it.");
}
