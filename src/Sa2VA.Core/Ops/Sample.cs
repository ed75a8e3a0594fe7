namespace Sa2VA.Core;

/// <summary>
/// Draws an index from each row of logits: temperature, then the k likeliest, then the nucleus of a probability, then one of what is left,
/// in proportion to its probability. The filters and their order are those of Hugging Face transformers' logits processors. All sums are of
/// integers and all else are single operations of float32, so every backend draws the same index: docs/sampling.md has the definition.
/// </summary>
public sealed class Sample : Op
{
    internal Sample(Tensor logits, Tensor choices) => Inputs = [logits, choices];

    /// <summary>How each row is drawn, I32 [n, 4]: <see cref="SamplingChoice"/>.</summary>
    public Tensor Choices => Inputs[1];
}

/// <summary>How <see cref="Sample"/> draws from one row.</summary>
/// <param name="Temperature">What logits are divided by, at least 0; 0: the largest is taken.</param>
/// <param name="TopK">How many of the likeliest are left; 0: all.</param>
/// <param name="TopP">
/// Of these, those that have less than this probability before them are left, 0 to 1; one is always left, 1: all.
/// </param>
/// <param name="Draw">A random number from 0 to 2³¹ − 2: the point of (<paramref name="Draw"/> + ½)/2³¹ that is drawn.</param>
public readonly record struct SamplingChoice(float Temperature, int TopK, float TopP, int Draw)
{
    /// <summary>Integers of a choice.</summary>
    public const int Count = 4;

    /// <summary>The whole of probability, as the third integer of a choice counts it.</summary>
    public const int Whole = 1 << 30;

    /// <summary>The largest value is drawn, as <see cref="ArgMax"/> finds it.</summary>
    public static SamplingChoice Largest => new(0, 0, 1, 0);

    /// <summary>Values that the integers of a list of choices may have.</summary>
    public static IndexRange Range => new(0, int.MaxValue);

    /// <summary>Writes the integers that the op reads.</summary>
    /// <param name="to">The row's four.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is outside of its range.</exception>
    public void Write(Span<int> to)
    {
        if (!float.IsFinite(Temperature) || Temperature < 0)
            throw new ArgumentOutOfRangeException(nameof(to), Temperature, "A temperature is a finite number of at least 0.");
        if (TopK < 0 || TopK == int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(to), TopK, "Top-k is how many tokens are left: 1 or more, or 0 for all.");
        if (!(TopP is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(to), TopP, "Top-p is a probability from 0 to 1.");
        if (Draw is < 0 or int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(to), Draw, "A draw is a number from 0 to 2³¹ − 2.");
        // −0 is 0 too.
        to[0] = BitConverter.SingleToInt32Bits(Temperature + 0f);
        to[1] = TopK;
        to[2] = (int)((double)TopP * Whole);
        to[3] = Draw;
    }
}

/// <summary>Recording of <see cref="Sample"/>.</summary>
public static class SampleExtensions
{
    /// <summary>Records the draw of an index from each row of logits [.., V]: I32 [rows]; −1 for a row that is not finite.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="logits">[.., V].</param>
    /// <param name="choices">I32 [rows, 4], as <see cref="SamplingChoice.Write"/> writes them.</param>
    public static Tensor Sample(this GraphBuilder g, Tensor logits, Tensor choices)
    {
        long rows = logits.Shape.Rows;
        if (logits.Type != DType.F32) throw g.Error(nameof(Sample), $"input {logits} is not F32.");
        if (choices.Type != DType.I32 || choices.Shape != new Shape((int)rows, SamplingChoice.Count) || choices.Length != logits.Length
            || !choices.IsContiguous || !choices.IsWithin(SamplingChoice.Range.Least, SamplingChoice.Range.End))
            throw g.Error(nameof(Sample), $"{choices} does not have four numbers for each row of {logits}.");
        return g.Record(new Sample(logits, choices), DType.I32, new Shape((int)rows), logits.Length);
    }
}
