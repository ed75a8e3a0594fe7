using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Engine.Language;

/// <summary>What greedy decoding gave.</summary>
/// <param name="Ids">New tokens, the stop token included if it was generated.</param>
/// <param name="SegStates">State [H] of every [SEG] that was fed back, in text order.</param>
/// <param name="Truncated">True if the limit on new tokens ended it.</param>
internal sealed record Generated(List<int> Ids, List<float[]> SegStates, bool Truncated);

/// <summary>
/// The greedy loop (docs/model/generation.md#greedy-decoding): prefill, then one token at a time until a stop rule holds.
/// </summary>
internal static class Generation
{
    public static Generated Run(Conversation conversation, ReadOnlySpan<int> prompt, Tokenizer tokenizer, StopRule stop, int segId, int hidden,
        int maxNewTokens, Action<int>? prefilled, Action<int>? decoded, Action<string>? onText, CancellationToken cancellation)
    {
        var ids = new List<int>(Math.Min(maxNewTokens, 4096));
        var states = new List<float[]>();
        TokenStream stream = tokenizer.Stream();
        string tail = "";
        int next = conversation.Prefill(prompt, maxNewTokens, prefilled, cancellation);
        bool truncated = true;
        while (true)
        {
            ids.Add(next);
            string text = stream.Append(next);
            if (text.Length > 0) onText?.Invoke(text);
            decoded?.Invoke(ids.Count);
            if (stop.IsStopId(next) || stop.EndsWithStopWord(ref tail, text))
            {
                truncated = false;
                break;
            }
            if (ids.Count >= maxNewTokens) break;

            // The state that prompts SAM 2 is that of the step which consumes [SEG]; a last [SEG] is never consumed.
            int fed = next;
            next = conversation.Decode(fed, cancellation);
            if (fed != segId) continue;
            var state = new float[hidden];
            conversation.ReadState(state);
            states.Add(state);
        }
        string rest = stream.Flush();
        if (rest.Length > 0) onText?.Invoke(rest);
        return new Generated(ids, states, truncated);
    }
}
