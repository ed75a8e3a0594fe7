using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Engine.Language;

/// <summary>What greedy decoding gave.</summary>
/// <param name="Ids">New tokens, the stop token included if it was generated.</param>
/// <param name="Segs">Vector of every [SEG] that was fed back, in text order; the caller's to dispose.</param>
/// <param name="Truncated">True if the limit on new tokens ended it.</param>
internal sealed record Generated(List<int> Ids, List<SegVector> Segs, bool Truncated);

/// <summary>Who is told how far a generation is; each may be null.</summary>
/// <param name="Prefilled">Told how many of the prompt's tokens are in the cache.</param>
/// <param name="Decoded">Told how many tokens the answer has.</param>
/// <param name="Text">Told each piece of decoded text, special tokens included.</param>
internal readonly record struct GenerationReports(Action<int>? Prefilled, Action<int>? Decoded, Action<string>? Text);

/// <summary>
/// The greedy loop (docs/model/generation.md#greedy-decoding): prefill, then one token at a time until a stop rule holds.
/// </summary>
/// <param name="tokenizer">Turns tokens into text.</param>
/// <param name="stop">When an answer is over.</param>
/// <param name="segId">The token whose state prompts the segmentation.</param>
internal sealed class Generation(Tokenizer tokenizer, StopRule stop, int segId)
{
    /// <summary>Answers a prompt.</summary>
    /// <param name="conversation">Holds what was said before, and the prompt and its answer afterwards.</param>
    /// <param name="projector">Makes vectors of [SEG] states; null where there is nothing to segment.</param>
    /// <param name="prompt">Token ids, at least one.</param>
    /// <param name="maxNewTokens">Most tokens of the answer, at least 1.</param>
    /// <param name="reports">Told how far it is.</param>
    /// <param name="cancellation">Stops within one token.</param>
    public Generated Run(Conversation conversation, SegVectors? projector, ReadOnlySpan<int> prompt, int maxNewTokens,
        GenerationReports reports, CancellationToken cancellation)
    {
        var generated = new Generated(new List<int>(Math.Min(maxNewTokens, 4096)), [], false);
        try
        {
            // Room for an answer of the usual length; the cache grows if a longer one really comes.
            conversation.Prefill(prompt, Math.Min(maxNewTokens, AskOptions.DefaultMaxNewTokens), reports.Prefilled, cancellation);
            return generated with { Truncated = Decode(conversation, projector, generated, maxNewTokens, reports, cancellation) };
        }
        catch
        {
            foreach (SegVector seg in generated.Segs) seg.Dispose();
            throw;
        }
    }

    /// <returns>True if the limit ended it.</returns>
    private bool Decode(Conversation conversation, SegVectors? projector, Generated generated, int maxNewTokens, GenerationReports reports,
        CancellationToken cancellation)
    {
        List<int> ids = generated.Ids;
        TokenStream stream = tokenizer.Stream();
        string tail = "";
        bool truncated = true;
        while (true)
        {
            int next = conversation.Next(follow: ids.Count + 1 < maxNewTokens, cancellation);
            ids.Add(next);
            string text = stream.Append(next);
            if (text.Length > 0) reports.Text?.Invoke(text);
            reports.Decoded?.Invoke(ids.Count);
            if (stop.IsStopId(next) || stop.EndsWithStopWord(ref tail, text))
            {
                truncated = false;
                break;
            }
            if (ids.Count >= maxNewTokens) break;
            // The state that prompts SAM 2 is that of the step which consumes [SEG], the latest one enqueued. A last [SEG] is never
            // consumed.
            if (next == segId && projector is not null) generated.Segs.Add(projector.Take(cancellation));
        }
        string rest = stream.Flush();
        if (rest.Length > 0) reports.Text?.Invoke(rest);
        return truncated;
    }
}
