using System.Runtime.InteropServices;

namespace Sa2VA.Cuda;

/// <summary>Bytes on their way to an array of the host.</summary>
/// <param name="Position">Where in the queue.</param>
/// <param name="Staged">Page-locked memory that the device writes.</param>
/// <param name="Destination">The array.</param>
/// <param name="Bytes">How many.</param>
internal readonly unsafe record struct PendingRead(long Position, nint Staged, Array Destination, long Bytes)
{
    /// <summary>They have come.</summary>
    public void Complete() => new ReadOnlySpan<byte>((void*)Staged, checked((int)Bytes))
        .CopyTo(MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(Destination), checked((int)Bytes)));
}
