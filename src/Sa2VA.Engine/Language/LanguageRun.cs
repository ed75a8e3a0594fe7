using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>What a run of the language model is for.</summary>
/// <param name="Sequences">Sequences of a decode step; 0 for a chunk of a prompt.</param>
/// <param name="Images">True if a chunk's tokens may stand for image rows.</param>
/// <param name="Capacity">Most tokens of a sequence.</param>
/// <param name="Samples">True if next tokens are drawn as each turn asks, false if the likeliest are taken.</param>
internal readonly record struct RunKind(int Sequences, bool Images, int Capacity, bool Samples);

/// <summary>A plan of the language model, bound to the pool and the slots. One caller at a time.</summary>
internal sealed class LanguageRun : IDisposable
{
    private readonly LanguageModel _model;
    private readonly ExecutionPlan _plan;
    private readonly LanguageGraph _graph;
    private readonly int[] _slots, _choices, _penalties, _ids;
    private readonly BoundPlan _bound;
    private readonly SequencePlacement _placement;

    /// <param name="model">Model.</param>
    /// <param name="graph">What runs.</param>
    /// <param name="cancellation">Stops the compilation.</param>
    public LanguageRun(LanguageModel model, LanguageGraph graph, CancellationToken cancellation)
    {
        (_model, _graph) = (model, graph);
        _slots = new int[graph.Slot.Shape[0]];
        _ids = graph.Ids is null ? [] : new int[Chunk];
        (_choices, _penalties) = (new int[_slots.Length * SamplingChoice.Count], new int[_slots.Length]);
        _plan = model.Backend.Compile(graph.Graph, cancellation);
        PlanBuffers buffers = model.Pages.AddTo(new PlanBuffers(graph.Graph), graph.Stack)
            .Add(graph.Slots.Next, model.Next).Add(graph.Slots.Hidden, model.Hidden);
        if (graph.Sampling is { } sampling) buffers.Add(sampling.Held, model.Held!);
        for (int i = 0; i < graph.Stack.ImageTokens.Count; i++) buffers.Add(graph.Stack.ImageTokens[i], model.ImageRows[i]);
        try
        {
            _bound = _plan.Bind(model.Queue, buffers);
        }
        catch
        {
            _plan.Dispose();
            throw;
        }
        _placement = new SequencePlacement(graph.At, _bound);
    }

    /// <summary>Most tokens of a chunk.</summary>
    public int Chunk => _graph.Ids!.Shape[0];

    /// <summary>Most sequences of a decode step.</summary>
    public int Sequences => _slots.Length;

    /// <summary>Enqueues the next chunk of a prompt.</summary>
    /// <param name="chunk">Token ids.</param>
    /// <param name="turn">
    /// Whose prompt it is; its conversation has room, and its slot is where the chunk's last row leaves its state and next token.
    /// </param>
    /// <param name="firstRow">The first row of the picture that the chunk speaks of; its rows are where they are read.</param>
    public void Prefill(ReadOnlySpan<int> chunk, Turn turn, int firstRow = 0)
    {
        Conversation conversation = turn.Conversation;
        Span<int> ids = _ids.AsSpan(0, chunk.Length);
        for (int i = 0; i < ids.Length; i++) ids[i] = chunk[i] < 0 ? chunk[i] + firstRow : chunk[i];
        _bound.Set(_graph.Ids!, ids).Set(_graph.Last!, [chunk.Length - 1]).Set(_graph.Slot, [turn.Slot]);
        _placement.Begin().AddChunk(conversation.Pages, conversation.Length, ids, turn.Positions).End();
        Draw([turn]);
        _bound.Progress = turn.OnPrefilled is { } told ? Within(conversation.Length, chunk.Length, told) : null;
        _model.Queue.Run(_bound, turn.Cancellation);
        // Who is told must not be held here.
        _bound.Progress = null;
    }

    /// <summary>Enqueues a decode step.</summary>
    /// <param name="turns">Whose next tokens; each has room for one.</param>
    public void Decode(ReadOnlySpan<Turn> turns)
    {
        _placement.Begin();
        for (int i = 0; i < turns.Length; i++)
        {
            _slots[i] = turns[i].Slot;
            _placement.Add(turns[i].Conversation.Pages, turns[i].Conversation.Length, 1, turns[i].Positions?.Shift ?? 0);
        }
        _placement.End();
        _bound.Set(_graph.Slot, _slots.AsSpan(0, turns.Length));
        Draw(turns);
        _model.Queue.Run(_bound);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _bound.Dispose();
        _plan.Dispose();
    }

    private static Action<double> Within(int before, int count, Action<double> told) => part => told(before + part * count);

    /// <summary>Says how the turns' next tokens are drawn, where they are.</summary>
    private void Draw(ReadOnlySpan<Turn> turns)
    {
        if (_graph.Sampling is not { } sampling) return;
        for (int i = 0; i < turns.Length; i++)
        {
            turns[i].Sampling!.Choice(turns[i].Promised).Write(_choices.AsSpan(i * SamplingChoice.Count));
            _penalties[i] = turns[i].Sampling!.PenaltyBits;
        }
        _bound.Set(sampling.Choices, _choices.AsSpan(0, turns.Length * SamplingChoice.Count));
        _bound.Set(sampling.Penalties, _penalties.AsSpan(0, turns.Length));
    }
}
