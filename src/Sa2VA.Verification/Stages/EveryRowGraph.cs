using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>A run of the language model that puts out what follows each row, where the engine wants it of the last one alone.</summary>
internal sealed class EveryRowGraph
{
    public EveryRowGraph(IWeightSource weights, LanguageConfig config, int chunk, int capacity, int imageRows = 0)
    {
        var g = new GraphBuilder("every row", weights);
        Stack = new LanguageStack(g, config, chunk, capacity, imageRows);
        (Tensor hidden, Tensor logits) = Stack.Head(Stack.Rows);
        Next = g.Output("next", g.ArgMax(logits));
        Hidden = g.Output("hidden", hidden);
        Logits = g.Output("logits", logits);
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>Inputs and caches.</summary>
    public LanguageStack Stack { get; }

    /// <summary>Most likely token after each row I32 [n].</summary>
    public Tensor Next { get; }

    /// <summary>States after the final norm [n, H].</summary>
    public Tensor Hidden { get; }

    /// <summary>[n, V].</summary>
    public Tensor Logits { get; }
}
