using System.Text;

namespace Sa2VA.Engine;

/// <summary>A piece of an answer.</summary>
/// <param name="Text">As it reads.</param>
/// <param name="Object">Number, within the answer, of the [SEG] that shows it; null for prose.</param>
public readonly record struct GroundedSpan(string Text, int? Object);

/// <summary>
/// An answer that names what it shows (docs/model/generation.md#grounded-captions): prose with <c>&lt;p&gt; phrase &lt;/p&gt; [SEG]</c> in
/// between. Phrases without a [SEG] and [SEG]s without a phrase are tolerated: nothing in the model enforces pairs.
/// </summary>
public sealed class GroundedText
{
    private const string Open = ReadableText.PhraseBegin, Close = ReadableText.PhraseEnd, Seg = "[SEG]";

    private GroundedText(string text, string caption, List<GroundedSpan> spans, List<string?> phrases) =>
        (Text, Caption, Spans, Phrases) = (text, caption, spans, phrases);

    /// <summary>The answer without stop markers and <c>&lt;p&gt;</c> tags; [SEG] stays.</summary>
    public string Text { get; }

    /// <summary>The answer as a caption: without [SEG] too.</summary>
    public string Caption { get; }

    /// <summary>The caption in pieces, each phrase with its object.</summary>
    public IReadOnlyList<GroundedSpan> Spans { get; }

    /// <summary>The phrase before each [SEG], or null, in text order.</summary>
    public IReadOnlyList<string?> Phrases { get; }

    /// <summary>Parses an answer.</summary>
    /// <param name="answer">Decoded text, special tokens kept.</param>
    /// <param name="stopWords">Markers that may end it.</param>
    public static GroundedText Parse(string answer, IReadOnlyList<string> stopWords)
    {
        ArgumentNullException.ThrowIfNull(answer);
        ArgumentNullException.ThrowIfNull(stopWords);
        string body = answer.Trim();
        foreach (string word in stopWords)
            if (body.EndsWith(word, StringComparison.Ordinal)) body = body[..^word.Length].TrimEnd();

        var spans = new List<GroundedSpan>();
        var phrases = new List<string?>();
        string? phrase = null;
        int waiting = -1;
        bool inside = false;
        var prose = new StringBuilder();
        for (int at = 0; at < body.Length;)
        {
            if (Starts(Open)) { Flush(); (inside, at) = (true, at + Open.Length); }
            else if (Starts(Close))
            {
                if (inside)
                {
                    phrase = prose.ToString().Trim();
                    prose.Clear();
                    waiting = spans.Count;
                    spans.Add(new GroundedSpan(phrase, null));
                }
                (inside, at) = (false, at + Close.Length);
            }
            else if (Starts(Seg))
            {
                if (phrase is not null) spans[waiting] = new GroundedSpan(phrase, phrases.Count);
                phrases.Add(phrase);
                phrase = null;
                at += Seg.Length;
            }
            else prose.Append(body[at++]);

            bool Starts(string mark) => string.CompareOrdinal(body, at, mark, 0, mark.Length) == 0;
        }
        Flush();
        string text = ReadableText.Of(answer, stopWords);
        return new GroundedText(text, ReadableText.Of(text.Replace(Seg, "", StringComparison.Ordinal), []), spans, phrases);

        void Flush()
        {
            if (prose.Length > 0) spans.Add(new GroundedSpan(prose.ToString(), null));
            prose.Clear();
        }
    }
}
