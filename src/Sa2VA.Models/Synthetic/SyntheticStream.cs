using System.Text;

namespace Sa2VA.Models;

/// <summary>The number stream of a name (synthetic.md): SplitMix64 seeded with FNV-1a, so that any element can be computed alone.</summary>
public readonly struct SyntheticStream
{
    private const ulong Golden = 0x9E3779B97F4A7C15;
    private readonly ulong _seed;

    /// <summary>Creates the stream of a name.</summary>
    public SyntheticStream(string name)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name)) hash = (hash ^ b) * 0x100000001b3;
        _seed = hash;
    }

    /// <summary>Element <paramref name="index"/>, in [−1, 1), exact in binary32.</summary>
    public float this[long index]
    {
        get
        {
            ulong z = _seed + ((ulong)index + 1) * Golden;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            z ^= z >> 31;
            return (z >> 40) * (1f / (1 << 23)) - 1f;
        }
    }
}
