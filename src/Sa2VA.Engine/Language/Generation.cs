using Sa2VA.Models;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Engine.Language;

/// <summary>What decoding gave.</summary>
/// <param name="Ids">
/// Tokens of the answer: those that it was made to begin with, then new ones, the stop token included if it was generated.
/// </param>
/// <param name="Segs">
/// Vector of every [SEG] of the prompt that is an object and of every one that was fed back, in text order; the caller's to dispose.
/// </param>
/// <param name="Finish">What ended it.</param>
/// <param name="Kept">Characters of the tokens' text before the string that ended it; null where none did.</param>
internal sealed record Generated(List<int> Ids, List<SegVector> Segs, FinishReason Finish, int? Kept);

/// <summary>A prompt as the language model is given it.</summary>
/// <param name="Ids">Token ids, at least one; −1 − j stands for image row j.</param>
/// <param name="Positions">Positions on three axes; null where a token's place is its position.</param>
/// <param name="Segs">Places of [SEG] tokens that are objects too, in order.</param>
/// <param name="Begun">How many of the last ones are the beginning of the answer.</param>
internal sealed record PromptTokens(int[] Ids, TokenPositions? Positions, IReadOnlyList<int> Segs, int Begun)
{
    /// <summary>The prompt without the beginning of the answer.</summary>
    public ReadOnlySpan<int> Asked => Ids.AsSpan(0, Ids.Length - Begun);

    /// <summary>Most tokens that need not be computed anew: the last one has to be, and whatever a state is asked for behind.</summary>
    public int MostKnown => Segs.Count > 0 ? Segs[0] : Ids.Length - 1;
}

/// <summary>What the tokens of an answer follow.</summary>
/// <param name="MaxNewTokens">Most of them, at least 1.</param>
/// <param name="Sampling">How they are drawn; null where the likeliest are taken.</param>
/// <param name="StopStrings">Text that ends the answer.</param>
internal sealed record TokenRules(int MaxNewTokens, TokenSampling? Sampling, IReadOnlyList<string> StopStrings);

/// <summary>Who is told how far a generation is; each may be null. They are called by the scheduler and must be quick.</summary>
/// <param name="Prefilled">Told how many of the prompt's tokens are in the cache.</param>
/// <param name="Decoded">Told how many tokens the answer has.</param>
/// <param name="Text">Told each piece of decoded text, special tokens included.</param>
internal readonly record struct GenerationReports(Action<double>? Prefilled, Action<int>? Decoded, Action<string>? Text);

/// <summary>
/// Decoding (docs/model/generation.md#greedy-decoding): prefill, then one token at a time until a stop rule holds. The scheduler makes the
/// steps, together with those of other conversations.
/// </summary>
/// <param name="scheduler">Makes the steps.</param>
/// <param name="tokenizer">Turns tokens into text.</param>
/// <param name="stop">When an answer is over.</param>
/// <param name="segId">The token whose state prompts the segmentation.</param>
internal sealed class Generation(Scheduler scheduler, Tokenizer tokenizer, StopRule stop, int segId)
{
    /// <summary>Answers a prompt.</summary>
    /// <param name="conversation">Has begun with the prompt.</param>
    /// <param name="projector">Makes vectors of [SEG] states; null where there is nothing to segment.</param>
    /// <param name="prompt">What is answered.</param>
    /// <param name="rules">How tokens are chosen, and how many.</param>
    /// <param name="reports">Told how far it is.</param>
    /// <param name="cancellation">Stops within one token.</param>
    public async Task<Generated> RunAsync(Conversation conversation, SegVectors? projector, PromptTokens prompt, TokenRules rules,
        GenerationReports reports, CancellationToken cancellation)
    {
        List<int> ids = new(Math.Min(rules.MaxNewTokens, 4096));
        List<SegVector> segs = [];
        // How much text there was behind each [SEG] of the answer.
        List<int> places = [];
        TokenStream stream = tokenizer.Stream();
        StopStrings? strings = rules.StopStrings.Count > 0 ? new StopStrings(rules.StopStrings) : null;
        string tail = "";
        int begun = 0, length = 0;
        foreach (int token in prompt.Ids.AsSpan(prompt.Ids.Length - prompt.Begun))
        {
            ids.Add(token);
            string text = stream.Append(token);
            begun += text.Length;
            if (text.Length > 0) reports.Text?.Invoke(text);
        }
        var turn = new Turn(conversation, prompt.Ids, rules.MaxNewTokens, Accept, cancellation)
        {
            Positions = prompt.Positions,
            Sampling = rules.Sampling,
            StatePlaces = prompt.Segs,
            OnPrefilled = reports.Prefilled,
            OnState = slot => segs.Add(projector!.Take(slot)),
        };
        try
        {
            scheduler.Add(turn);
            FinishReason finish = await turn.End.ConfigureAwait(false) ? FinishReason.Length : FinishReason.Stop;
            Tell(stream.Flush());
            if (strings is null) return new Generated(ids, segs, finish, null);
            if (!strings.IsFound)
            {
                if (strings.End() is { Length: > 0 } rest) reports.Text?.Invoke(rest);
                return new Generated(ids, segs, finish, null);
            }
            // What the string holds of the text was not said.
            int kept = prompt.Segs.Count + places.Count(place => place <= strings.Given);
            for (int i = kept; i < segs.Count; i++) segs[i].Dispose();
            if (kept < segs.Count) segs.RemoveRange(kept, segs.Count - kept);
            return new Generated(ids, segs, FinishReason.StopString, begun + strings.Given);
        }
        catch
        {
            foreach (SegVector seg in segs) seg.Dispose();
            throw;
        }

        AfterToken Accept(int token)
        {
            ids.Add(token);
            string text = stream.Append(token);
            length += text.Length;
            Tell(text);
            reports.Decoded?.Invoke(ids.Count);
            if (stop.IsStopId(token) || stop.EndsWithStopWord(ref tail, text) || strings is { IsFound: true }) return AfterToken.End;
            // The state that prompts SAM 2 is that of the step which consumes [SEG]. A last [SEG] is never consumed.
            if (token != segId || projector is null) return AfterToken.GoOn;
            places.Add(length);
            return AfterToken.TakeState;
        }

        void Tell(string text)
        {
            if (strings is not null) text = strings.Push(text);
            if (text.Length > 0) reports.Text?.Invoke(text);
        }
    }
}
