namespace Sa2VA.Core;

/// <summary>
/// What becomes of new tokens' projections before they attend: <see cref="RotaryEmbedding"/> of queries and keys, and
/// <see cref="WriteRows"/> of the rotated keys and of the values into their states. No network records it; <see cref="GraphPasses"/> do.
/// </summary>
public sealed class RotaryAppend : Op
{
    internal RotaryAppend(RotaryEmbedding q, RotaryEmbedding k, WriteRows keys, WriteRows values)
    {
        Inputs = [q.Inputs[0], k.Inputs[0], values.Inputs[0], .. q.Inputs.Skip(1), keys.Output, values.Output, keys.Rows];
        (Heads, KvHeads, Pairing) = (q.Heads, k.Heads, q.Pairing);
        (Name, Output, Besides) = ($"{q.Name} … {values.Name}", q.Output, [keys.Output, values.Output]);
    }

    /// <summary>Heads of the queries, blocks of the last axis.</summary>
    public int Heads { get; }

    /// <summary>Heads of the keys.</summary>
    public int KvHeads { get; }

    /// <summary>Which channels form a pair.</summary>
    public RotaryPairing Pairing { get; }

    /// <summary>Queries [n, heads·d], as projected.</summary>
    public Tensor Q => Inputs[0];

    /// <summary>Keys [n, kvHeads·d], as projected.</summary>
    public Tensor K => Inputs[1];

    /// <summary>Values [n, C].</summary>
    public Tensor V => Inputs[2];

    /// <summary>[t, d/2].</summary>
    public Tensor Cos => Inputs[3];

    /// <summary>[t, d/2].</summary>
    public Tensor Sin => Inputs[4];

    /// <summary>The table row for each row, I32 [n]; −1: not rotated.</summary>
    public Tensor Positions => Inputs[5];

    /// <summary>The state that takes the rotated keys.</summary>
    public Tensor Keys => Inputs[6];

    /// <summary>The state that takes the values; has as many rows.</summary>
    public Tensor Values => Inputs[7];

    /// <summary>The states' row for each row, I32 [n]; −1: not written.</summary>
    public Tensor Rows => Inputs[8];
}
