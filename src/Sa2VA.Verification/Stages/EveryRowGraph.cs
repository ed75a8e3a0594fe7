using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>A run of the language model that puts out what follows each row, where the engine wants it of the last one alone.</summary>
internal sealed class EveryRowGraph
{
    public EveryRowGraph(IWeightSource weights, LanguageConfig config, int chunk, KvLayout kv, int imageRows = 0)
    {
        var g = new GraphBuilder("every row", weights);
        RuntimeScalar? count = chunk > 1 ? g.Scalar("tokens", chunk) : null;
        Ids = g.List("ids", new Shape(chunk), LanguageStack.IdRange(g, config, imageRows), count);
        At = new SequenceRows(g, kv, chunk, 1, count);
        if (imageRows > 0) At.DeclarePictures(g, config, imageRows);
        Stack = new LanguageStack(g, config, Ids, At, imageRows);
        (Tensor hidden, Tensor normed, Tensor logits) = Stack.Head(Stack.Rows);
        if (hidden != normed) Normed = g.Output("normed", normed);
        Next = g.Output("next", g.ArgMax(logits));
        Hidden = g.Output("hidden", hidden);
        Logits = g.Output("logits", logits);
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>Token ids I32 [n].</summary>
    public Tensor Ids { get; }

    /// <summary>Where the rows stand.</summary>
    public SequenceRows At { get; }

    /// <summary>Image tokens and caches.</summary>
    public LanguageStack Stack { get; }

    /// <summary>Runs new tokens of the one sequence.</summary>
    /// <param name="run">The graph's.</param>
    /// <param name="start">Tokens that are there.</param>
    /// <param name="ids">New tokens.</param>
    /// <param name="positions">Of the prompt; null where a token's place is its position.</param>
    public void Feed(GraphRun run, int start, ReadOnlySpan<int> ids, TokenPositions? positions = null)
    {
        run.Bound.Set(Ids, ids);
        new SequencePlacement(At, run.Bound).Begin().AddChunk(AllPages(At), start, ids, positions).End();
        run.Execute();
    }

    /// <summary>Says where the rows of one sequence stand that has the pool for itself.</summary>
    public static void Place(GraphRun run, SequenceRows at, int start, int count) =>
        new SequencePlacement(at, run.Bound).Begin().Add(AllPages(at), start, count).End();

    /// <summary>The pages of a sequence that has the pool for itself.</summary>
    public static int[] AllPages(SequenceRows at) => [.. Enumerable.Range(0, at.Kv.Pages)];

    /// <summary>Most likely token after each row I32 [n].</summary>
    public Tensor Next { get; }

    /// <summary>States that [SEG] is read from [n, H].</summary>
    public Tensor Hidden { get; }

    /// <summary>States after the final norm [n, H], where <see cref="Hidden"/> is before it.</summary>
    public Tensor? Normed { get; }

    /// <summary>[n, V].</summary>
    public Tensor Logits { get; }
}
