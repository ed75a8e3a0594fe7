using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>One tensor of a golden file, row-major: floats for F32, integers for everything else.</summary>
public sealed class GoldenTensor
{
    private readonly float[]? _floats;
    private readonly long[]? _integers;
    private readonly string _what;

    internal GoldenTensor(string what, int[] dims, float[]? floats, long[]? integers) =>
        (_what, Dims, _floats, _integers) = (what, dims, floats, integers);

    /// <summary>Extents, one to five.</summary>
    public IReadOnlyList<int> Dims { get; }

    /// <summary>True when the values are floats.</summary>
    public bool IsFloat => _floats is not null;

    /// <summary>The values of an F32 tensor. Do not change the array.</summary>
    /// <exception cref="CheckpointException">It holds integers.</exception>
    public float[] Floats => _floats ?? throw new CheckpointException($"{_what} holds integers, floats are needed.");

    /// <summary>The values of an I64, I32, U8 or BOOL tensor. Do not change the array.</summary>
    /// <exception cref="CheckpointException">It holds floats.</exception>
    public long[] Integers => _integers ?? throw new CheckpointException($"{_what} holds floats, integers are needed.");

    /// <summary>The values of a U8 or BOOL tensor.</summary>
    /// <exception cref="CheckpointException">It holds floats, or a value outside 0…255.</exception>
    public byte[] Bytes()
    {
        var bytes = new byte[Integers.Length];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = Integers[i] is >= 0 and <= 255 ? (byte)Integers[i] : throw Bad($"holds {Integers[i]} where bytes are needed");
        return bytes;
    }

    /// <summary>The extents as a shape.</summary>
    public Shape Shape => new([.. Dims]);

    /// <summary>The tensor's extents when it must have <paramref name="rank"/> of them.</summary>
    /// <exception cref="CheckpointException">It has more or fewer.</exception>
    public int[] DimsOf(int rank) =>
        Dims.Count == rank ? [.. Dims] : throw Bad($"has shape [{string.Join(", ", Dims)}], not {rank} extents");

    /// <summary>Checks the shape.</summary>
    /// <exception cref="CheckpointException">It is another one.</exception>
    public GoldenTensor Expect(params ReadOnlySpan<int> dims)
    {
        bool same = dims.Length == Dims.Count;
        for (int i = 0; same && i < dims.Length; i++) same = dims[i] == Dims[i];
        return same ? this : throw Bad($"has shape [{string.Join(", ", Dims)}], [{string.Join(", ", dims.ToArray())}] is needed");
    }

    private CheckpointException Bad(string why) => new($"{_what} {why}.");
}
