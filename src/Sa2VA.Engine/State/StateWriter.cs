using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Sa2VA.Engine.State;

/// <summary>Writes a session's state (docs/session-state.md): little-endian numbers, and at last a digest of everything before.</summary>
/// <param name="stream">Not owned.</param>
/// <param name="cancellation">Looked at again and again: a stream may be slow.</param>
internal sealed class StateWriter(Stream stream, CancellationToken cancellation) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>Writes a number.</summary>
    public void Write<T>(T value) where T : unmanaged => WriteAll(new ReadOnlySpan<T>(in value));

    /// <summary>Writes yes or no.</summary>
    public void WriteFlag(bool value) => Write((byte)(value ? 1 : 0));

    /// <summary>Writes numbers; how many there are is for the reader to know.</summary>
    public void WriteAll<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        cancellation.ThrowIfCancellationRequested();
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        _hash.AppendData(bytes);
        stream.Write(bytes);
    }

    /// <summary>Writes a text behind its length in bytes.</summary>
    public void WriteText(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Write(bytes.Length);
        WriteAll<byte>(bytes);
    }

    /// <summary>Writes the digest.</summary>
    public void End()
    {
        stream.Write(_hash.GetHashAndReset());
        stream.Flush();
    }

    public void Dispose() => _hash.Dispose();
}
