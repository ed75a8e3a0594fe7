using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A run of the language model over some new tokens behind a cache: a chunk of the prompt, or one decode step.</summary>
internal sealed class LanguageGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="chunk">Most new tokens of a run; 1 for decode steps.</param>
    /// <param name="capacity">Most tokens of a sequence.</param>
    /// <param name="imageRows">Rows of the image tokens; 0 when no token stands for a part of an image.</param>
    public LanguageGraph(IWeightSource weights, LanguageConfig config, int chunk, int capacity, int imageRows = 0)
    {
        var g = new GraphBuilder(chunk == 1 ? "decode" : "prefill", weights);
        Stack = new LanguageStack(g, config, chunk, capacity, imageRows);
        // The final norm and the head matter for the last row alone.
        (Tensor hidden, Tensor logits) = Stack.Head(chunk == 1 ? Stack.Rows : g.LastRow(Stack.Rows));
        Next = g.Output("next", g.ArgMax(logits));
        Hidden = g.Output("hidden", hidden);
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>Inputs and caches.</summary>
    public LanguageStack Stack { get; }

    /// <summary>Most likely next token I32 [1].</summary>
    public Tensor Next { get; }

    /// <summary>State after the final norm [1, H].</summary>
    public Tensor Hidden { get; }
}
