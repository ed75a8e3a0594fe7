using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A run of the language model over new tokens behind their caches: a chunk of one prompt, or a decode step of several sequences. What it
/// finds stays on the device, in a slot for each sequence that is being answered: its next token, which the next decode step consumes, and
/// its last state.
/// </summary>
internal sealed class LanguageGraph
{
    /// <param name="g">Graph.</param>
    /// <param name="recorded">What is there already.</param>
    /// <param name="samples">True to draw the next tokens as lists say; false for the likeliest.</param>
    /// <param name="consumed">Tokens of a decode step, I32 [sequences]; null for a prompt's, which the host notes by itself.</param>
    private LanguageGraph(GraphBuilder g, Recorded recorded, bool samples, Tensor? consumed = null)
    {
        (LanguageStack stack, SequenceRows at, Tensor last, Tensor slot, SlotTensors slots) = recorded;
        (Stack, At, Slot, Slots) = (stack, at, slot, slots);
        (Tensor hidden, _, Tensor logits) = stack.Head(last);
        if (samples) Sampling = SamplingTensors.Declare(g, logits, slots.Next.Shape[0]);
        Tensor next = Sampling is { } sampling ? Draw(g, logits, slot, sampling, consumed) : g.ArgMax(logits);
        g.WriteRows(slots.Next, g.Reshape(next, new Shape(next.Shape[0], 1)), slot);
        g.WriteRows(slots.Hidden, hidden, slot);
        Graph = g.Build();
    }

    /// <summary>A chunk of one prompt, whose last row has a say.</summary>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="kv">Where keys and values are.</param>
    /// <param name="slots">Sequences that can be answered at once.</param>
    /// <param name="chunk">Most new tokens of a run, at least 2.</param>
    /// <param name="imageRows">Rows of the image tokens; 0 when no token stands for a part of an image.</param>
    /// <param name="samples">True to draw the next token as lists say; false for the likeliest.</param>
    public static LanguageGraph Prefill(IWeightSource weights, LanguageConfig config, KvLayout kv, int slots, int chunk, int imageRows = 0,
        bool samples = false)
    {
        var g = new GraphBuilder(samples ? "sampled prefill" : "prefill", weights);
        RuntimeScalar count = g.Scalar("tokens", chunk);
        Tensor ids = g.List("ids", new Shape(chunk), LanguageStack.IdRange(g, config, imageRows), count);
        var at = new SequenceRows(g, kv, chunk, 1, count);
        if (imageRows > 0) at.DeclarePictures(g, config, imageRows);
        var stack = new LanguageStack(g, config, ids, at, imageRows);
        // The final norm and the head matter for the last row alone.
        Tensor last = g.List("last row", new Shape(1), new IndexRange(0, chunk));
        Tensor slot = g.List("slots", new Shape(1), new IndexRange(-1, slots));
        return new LanguageGraph(g, new(stack, at, g.Gather(stack.Rows, last), slot, SlotTensors.Declare(g, config, slots)), samples)
        {
            Ids = ids,
            Last = last,
        };
    }

    /// <summary>One token more for each of some sequences; it is the one in the sequence's slot.</summary>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="kv">Where keys and values are.</param>
    /// <param name="slots">Sequences that can be answered at once.</param>
    /// <param name="sequences">Most sequences of a run.</param>
    /// <param name="samples">True to draw the next tokens as lists say; false for the likeliest.</param>
    public static LanguageGraph Decode(IWeightSource weights, LanguageConfig config, KvLayout kv, int slots, int sequences,
        bool samples = false)
    {
        var g = new GraphBuilder(samples ? "sampled decode" : "decode", weights);
        SlotTensors states = SlotTensors.Declare(g, config, slots);
        Tensor slot = g.List("slots", new Shape(sequences), new IndexRange(-1, slots));
        var at = new SequenceRows(g, kv, sequences, sequences);
        Tensor ids = g.Reshape(g.Gather(states.Next, slot), new Shape(sequences));
        var stack = new LanguageStack(g, config, ids, at);
        return new LanguageGraph(g, new(stack, at, stack.Rows, slot, states), samples, ids);
    }

    public Graph Graph { get; }

    /// <summary>Image tokens and caches.</summary>
    public LanguageStack Stack { get; }

    /// <summary>Where the rows stand.</summary>
    public SequenceRows At { get; }

    /// <summary>A prompt's ids, I32 [chunk]; null for decode steps, which have them on the device.</summary>
    public Tensor? Ids { get; private init; }

    /// <summary>A chunk's last row, I32 [1]; null for decode steps.</summary>
    public Tensor? Last { get; private init; }

    /// <summary>Each sequence's slot, I32 [sequences]; −1 where there is none.</summary>
    public Tensor Slot { get; }

    /// <summary>What a run leaves for each sequence.</summary>
    public SlotTensors Slots { get; }

    /// <summary>How next tokens are drawn; null where the likeliest are taken.</summary>
    public SamplingTensors? Sampling { get; }

    private static Tensor Draw(GraphBuilder g, Tensor logits, Tensor slot, SamplingTensors sampling, Tensor? consumed)
    {
        Tensor held = g.Gather(sampling.Held, slot);
        if (consumed is not null)
        {
            held = g.SetBits(held, consumed);
            g.WriteRows(sampling.Held, held, slot);
        }
        return g.Sample(g.RepetitionPenalty(logits, held, sampling.Penalties), sampling.Choices);
    }

    private readonly record struct Recorded(LanguageStack Stack, SequenceRows At, Tensor Last, Tensor Slot, SlotTensors Slots);
}

/// <summary>What runs leave on the device for each sequence that is being answered.</summary>
/// <param name="Next">Most likely next token, I32 [slots, 1]; −1 where the logits are not finite.</param>
/// <param name="Hidden">The state that [SEG] is read from [slots, H].</param>
internal readonly record struct SlotTensors(Tensor Next, Tensor Hidden)
{
    public static SlotTensors Declare(GraphBuilder g, LanguageConfig config, int slots) =>
        new(g.State("next tokens", DType.I32, new Shape(slots, 1)), g.State("last states", DType.F32, new Shape(slots, config.HiddenSize)));
}

/// <summary>How a run draws each sequence's next token.</summary>
/// <param name="Choices">I32 [sequences, 4], of <see cref="SamplingChoice"/>.</param>
/// <param name="Penalties">Repetition penalties, I32 [sequences], the bits of a float32; 0 for none.</param>
/// <param name="Held">Which tokens each slot's sequence holds, I32 [slots, ⌈vocabulary / 32⌉], a bit for each token.</param>
internal sealed record SamplingTensors(Tensor Choices, Tensor Penalties, Tensor Held)
{
    public static SamplingTensors Declare(GraphBuilder g, Tensor logits, int slots)
    {
        int sequences = logits.Shape[0];
        return new SamplingTensors(g.List("choices", new Shape(sequences, SamplingChoice.Count), SamplingChoice.Range),
            g.List("repetition penalties", new Shape(sequences), SamplingChoice.Range),
            g.State("held tokens", DType.I32, new Shape(slots, RepetitionPenalty.WordsFor(logits.Shape.Last))));
    }
}
