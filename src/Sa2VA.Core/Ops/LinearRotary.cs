namespace Sa2VA.Core;

/// <summary>
/// A linear layer of whose results the first columns are heads that are rotated (<see cref="RotaryEmbedding"/>) before they are stored, and
/// of whose results rows may go to states (<see cref="RotaryAppend"/>). No network records it; a pass that a backend may ask for does
/// (<see cref="GraphPasses.Rotated"/>).
/// </summary>
public sealed class LinearRotary : Op
{
    /// <param name="layer">The layer: rotated columns first.</param>
    /// <param name="rotation">One of the rotations of its columns; they are alike.</param>
    /// <param name="rotatedColumns">How many columns are rotated.</param>
    internal LinearRotary(Linear layer, RotaryEmbedding rotation, int rotatedColumns)
    {
        Inputs = [layer.Inputs[0], .. rotation.Inputs.Skip(1)];
        (Weight, Bias, Pairing, RotatedColumns) = (layer.Weight, layer.Bias, rotation.Pairing, rotatedColumns);
        (Name, Output) = ($"{layer.Name}, rotated", layer.Output);
    }

    /// <param name="layer">The layer: queries, keys and values.</param>
    /// <param name="append">What becomes of them.</param>
    internal LinearRotary(Linear layer, RotaryAppend append)
    {
        Inputs = [layer.Inputs[0], append.Cos, append.Sin, append.Positions, append.Keys, append.Values, append.Rows];
        (Weight, Bias, Pairing, RotatedColumns) = (layer.Weight, layer.Bias, append.Pairing, append.Q.Shape.Last + append.K.Shape.Last);
        (Name, Output, Besides) = ($"{layer.Name}, rotated", append.Output, append.Besides);
    }

    /// <summary>[out, in].</summary>
    public Weight Weight { get; }

    /// <summary>[out], or null.</summary>
    public Weight? Bias { get; }

    /// <summary>Which channels form a pair.</summary>
    public RotaryPairing Pairing { get; }

    /// <summary>The first so many columns are rotated.</summary>
    public int RotatedColumns { get; }

    /// <summary>[t, d/2].</summary>
    public Tensor Cos => Inputs[1];

    /// <summary>[t, d/2].</summary>
    public Tensor Sin => Inputs[2];

    /// <summary>The table row for each row, I32 [n]; −1: not rotated. Null where positions repeat the table.</summary>
    public Tensor? Positions => Inputs.Count > 3 ? Inputs[3] : null;

    /// <summary>The state that takes the columns behind those of the output; null where all are the output's.</summary>
    public Tensor? Keys => Inputs.Count > 4 ? Inputs[4] : null;

    /// <summary>The state that takes the columns behind those.</summary>
    public Tensor? Values => Inputs.Count > 4 ? Inputs[5] : null;

    /// <summary>The states' row for each row, I32 [n]; −1: not written.</summary>
    public Tensor? Rows => Inputs.Count > 4 ? Inputs[6] : null;

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => Bias is null ? [Weight] : [Weight, Bias];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * Weight.Shape.Count;
}
