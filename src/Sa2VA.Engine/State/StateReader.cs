using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>
/// Reads a session's state (docs/session-state.md), believing nothing: every number is within its bounds or refused, and memory is taken as
/// bytes come, not as a number says.
/// </summary>
/// <param name="stream">Not owned; read up to the digest and no further.</param>
/// <param name="cancellation">Looked at again and again: a stream may be slow.</param>
internal sealed class StateReader(Stream stream, CancellationToken cancellation) : IDisposable
{
    private const int Piece = 1 << 20;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _position;

    /// <summary>Reads a number.</summary>
    /// <param name="what">What it says, for messages.</param>
    public T Read<T>(string what) where T : unmanaged
    {
        T value = default;
        Fill(MemoryMarshal.AsBytes(new Span<T>(ref value)), what);
        return value;
    }

    /// <summary>Reads a number within bounds, both included.</summary>
    public int ReadInt(string what, int least, int most) => (int)Checked(Read<int>(what), what, least, most);

    /// <summary>Reads a number within bounds, both included.</summary>
    public long ReadLong(string what, long least, long most) => Checked(Read<long>(what), what, least, most);

    /// <summary>Reads yes or no.</summary>
    public bool ReadFlag(string what) => Checked(Read<byte>(what), what, 0, 1) == 1;

    /// <summary>Reads numbers, as many as are known to be there.</summary>
    public T[] ReadAll<T>(string what, int count) where T : unmanaged
    {
        // A state that is cut off must not cost more memory than it has bytes.
        int piece = Piece / Unsafe.SizeOf<T>();
        var values = new T[Math.Min(count, piece)];
        for (int at = 0; at < count;)
        {
            if (at == values.Length) Array.Resize(ref values, (int)Math.Min(count, 2L * at));
            int length = Math.Min(values.Length - at, piece);
            Fill(MemoryMarshal.AsBytes(values.AsSpan(at, length)), what);
            at += length;
        }
        return values;
    }

    /// <summary>Reads numbers that must be finite.</summary>
    public float[] ReadFloats(string what, int count)
    {
        float[] values = ReadAll<float>(what, count);
        return FiniteCheck.IsFinite(values) ? values : throw Damaged($"{what} is not finite");
    }

    /// <summary>Reads a text behind its length in bytes.</summary>
    public string ReadText(string what, int most)
    {
        byte[] bytes = ReadAll<byte>(what, ReadInt(what, 0, most));
        try
        {
            return Utf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Damaged($"{what} is no text");
        }
    }

    /// <summary>Reads the digest, which must be that of everything before.</summary>
    public void End()
    {
        byte[] digest = _hash.GetHashAndReset();
        var stored = new byte[digest.Length];
        Fill(stored, "its digest");
        if (!stored.AsSpan().SequenceEqual(digest)) throw Damaged("its digest is another one");
    }

    /// <summary>The error that something in it cannot be.</summary>
    public static StateException Damaged(string why) =>
        new($"The session's state is damaged: {why}. Restore from another copy, or begin a new session.");

    public void Dispose() => _hash.Dispose();

    private static long Checked(long value, string what, long least, long most) => value >= least && value <= most
        ? value
        : throw Damaged(FormattableString.Invariant($"{what} is {value}, where {least} to {most} can be"));

    private void Fill(Span<byte> bytes, string what)
    {
        cancellation.ThrowIfCancellationRequested();
        int read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        _position += read;
        if (read < bytes.Length)
            throw new StateException(FormattableString.Invariant($"The session's state ends behind {_position} bytes, ")
                + $"where it should tell {what}: it was cut off. Restore from a whole copy, or begin a new session.");
        _hash.AppendData(bytes);
    }
}
