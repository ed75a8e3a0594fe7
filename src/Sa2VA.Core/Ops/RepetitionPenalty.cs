namespace Sa2VA.Core;

/// <summary>
/// Logits of tokens that a sequence holds already, made less likely: those above 0 are divided by the row's penalty, those below 0
/// multiplied with it, as transformers' RepetitionPenaltyLogitsProcessor does. A penalty below 1 makes them likelier.
/// </summary>
public sealed class RepetitionPenalty : Op
{
    internal RepetitionPenalty(Tensor logits, Tensor held, Tensor penalties) => Inputs = [logits, held, penalties];

    /// <summary>Integers that hold a bit for each of so many tokens.</summary>
    public static int WordsFor(int tokens) => (tokens + 31) / 32;
}

/// <summary>Recording of <see cref="RepetitionPenalty"/>.</summary>
public static class RepetitionPenaltyExtensions
{
    /// <summary>Records logits with a penalty on those that the rows of bits name.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="logits">[n, V].</param>
    /// <param name="held">I32 [n, ⌈V / 32⌉], bits as <see cref="Core.SetBits"/> has them.</param>
    /// <param name="penalties">
    /// I32 [n], the bits of a float32 for each row; a row stays as it is where that is not above 0 or not finite.
    /// </param>
    public static Tensor RepetitionPenalty(this GraphBuilder g, Tensor logits, Tensor held, Tensor penalties)
    {
        if (logits.Type != DType.F32 || logits.Shape.Rank != 2)
            throw g.Error(nameof(RepetitionPenalty), $"input {logits} is not F32 [n, V].");
        var words = new Shape(logits.Shape[0], Core.RepetitionPenalty.WordsFor(logits.Shape.Last));
        if (held.Type != DType.I32 || held.Shape != words || held.Length != logits.Length)
            throw g.Error(nameof(RepetitionPenalty), $"{held} does not have a bit for each of {logits}.");
        if (!penalties.ListsRowsOf(logits))
            throw g.Error(nameof(RepetitionPenalty), $"{penalties} does not list a penalty for each row of {logits}.");
        return g.Record(new RepetitionPenalty(logits, held, penalties), DType.F32, logits.Shape, logits.Length);
    }
}
