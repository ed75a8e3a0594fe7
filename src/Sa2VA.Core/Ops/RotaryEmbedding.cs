namespace Sa2VA.Core;

/// <summary>How channels of a head pair up in <see cref="RotaryEmbedding"/>.</summary>
public enum RotaryPairing
{
    /// <summary>Channel i with i + d/2 (language models).</summary>
    Half,
    /// <summary>Channel 2m with 2m + 1 (SAM 2's axial code).</summary>
    Adjacent,
}

/// <summary>
/// Rotates channel pairs of each head by the angles of a table row. Row r of x uses the table row that <see cref="Positions"/> lists, or
/// table row r mod rows of the table.
/// </summary>
public sealed class RotaryEmbedding : Op
{
    internal RotaryEmbedding(Tensor x, Tensor cos, Tensor sin, int heads, RotaryPairing pairing)
    {
        Inputs = [x, cos, sin];
        (Heads, Pairing) = (heads, pairing);
    }

    internal RotaryEmbedding(Tensor x, Tensor cos, Tensor sin, Tensor positions, int heads, RotaryPairing pairing)
    {
        Inputs = [x, cos, sin, positions];
        (Heads, Pairing) = (heads, pairing);
    }

    /// <summary>Heads, blocks of the last axis.</summary>
    public int Heads { get; }

    /// <summary>Which channels form a pair.</summary>
    public RotaryPairing Pairing { get; }

    /// <summary>The table row for each row of x, I32; −1: the row is copied. Null where positions repeat the table.</summary>
    public Tensor? Positions => Inputs.Count > 3 ? Inputs[3] : null;

    /// <summary>True if the other one rotates by the same angles.</summary>
    internal bool RotatesAs(RotaryEmbedding other) => Pairing == other.Pairing
        && Inputs.Count == other.Inputs.Count && Inputs.Skip(1).Zip(other.Inputs.Skip(1)).All(pair => pair.First.Covers(pair.Second));
}

/// <summary>Recording of rotations.</summary>
public static class RotaryEmbeddingExtensions
{
    /// <summary>
    /// Records the rotation of x [n, heads·d] (a view will do) with constants cos, sin [t, d/2], row r by table row r mod t.
    /// </summary>
    public static Tensor RotaryEmbedding(this GraphBuilder g, Tensor x, Tensor cos, Tensor sin, int heads, RotaryPairing pairing)
    {
        Check(g, x, cos, sin, heads);
        return g.Record(new RotaryEmbedding(x, cos, sin, heads, pairing), DType.F32, x.Shape, x.Length);
    }

    /// <summary>
    /// Records the rotation of rows that stand anywhere in their sequences: row r by table row positions[r], not at all where that is −1. A
    /// position that the table does not have is refused before a row is written.
    /// </summary>
    /// <param name="g">Graph.</param>
    /// <param name="x">[n, heads·d].</param>
    /// <param name="cos">[t, d/2].</param>
    /// <param name="sin">[t, d/2].</param>
    /// <param name="positions">I32 [n].</param>
    /// <param name="heads">Heads.</param>
    /// <param name="pairing">Which channels form a pair.</param>
    public static Tensor RotaryEmbedding(this GraphBuilder g, Tensor x, Tensor cos, Tensor sin, Tensor positions, int heads,
        RotaryPairing pairing)
    {
        Check(g, x, cos, sin, heads);
        if (!positions.ListsRowsOf(x) || !positions.IsWithin(-1, cos.Shape.Rows))
            throw g.Error(nameof(RotaryEmbedding), $"{positions} does not list a position of {cos} for each row of {x}.");
        return g.Record(new RotaryEmbedding(x, cos, sin, positions, heads, pairing), DType.F32, x.Shape, x.Length);
    }

    private static void Check(GraphBuilder g, Tensor x, Tensor cos, Tensor sin, int heads)
    {
        if (x.Type != DType.F32 || heads < 1 || x.Shape.Last % (2 * heads) != 0 || cos.Shape != sin.Shape || cos.Shape.Rank != 2
            || cos.Shape.Last != x.Shape.Last / heads / 2)
            throw g.Error(nameof(RotaryEmbedding), $"input {x} with {heads} heads does not fit the table {cos}.");
    }
}
