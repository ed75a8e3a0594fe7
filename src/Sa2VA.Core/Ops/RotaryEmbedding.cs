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
/// Rotates channel pairs of each head by the angles of a table row: row r of x uses table row (start + r) mod rows of the table, rows from
/// <see cref="Rotated"/> on are copied.
/// </summary>
public sealed class RotaryEmbedding : Op
{
    internal RotaryEmbedding(Tensor x, Tensor cos, Tensor sin, int heads, RotaryPairing pairing, RuntimeScalar? start,
        RuntimeScalar? rotated)
    {
        Inputs = [x, cos, sin];
        (Heads, Pairing, Start, Rotated) = (heads, pairing, start, rotated);
    }

    /// <summary>Heads, blocks of the last axis.</summary>
    public int Heads { get; }

    /// <summary>Which channels form a pair.</summary>
    public RotaryPairing Pairing { get; }

    /// <summary>Table row of x's row 0; null means 0.</summary>
    public RuntimeScalar? Start { get; }

    /// <summary>Rows that are rotated; null means all.</summary>
    public RuntimeScalar? Rotated { get; }
}

/// <summary>Recording of <see cref="RotaryEmbedding"/>.</summary>
public static class RotaryEmbeddingExtensions
{
    /// <summary>Records the rotation of x [n, heads·d] (a view will do) with constants cos, sin [t, d/2].</summary>
    public static Tensor RotaryEmbedding(this GraphBuilder g, Tensor x, Tensor cos, Tensor sin, int heads, RotaryPairing pairing,
        RuntimeScalar? start = null, RuntimeScalar? rotated = null)
    {
        if (x.Type != DType.F32 || heads < 1 || x.Shape.Last % (2 * heads) != 0 || cos.Shape != sin.Shape || cos.Shape.Rank != 2
            || cos.Shape.Last != x.Shape.Last / heads / 2)
            throw g.Error(nameof(RotaryEmbedding), $"input {x} with {heads} heads does not fit the table {cos}.");
        return g.Record(new RotaryEmbedding(x, cos, sin, heads, pairing, start, rotated), DType.F32, x.Shape, x.Length);
    }
}
