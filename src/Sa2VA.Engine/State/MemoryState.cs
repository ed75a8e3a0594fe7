using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>What an object remembers of a frame (docs/session-state.md#a-memory).</summary>
/// <param name="Frame">The frame's number.</param>
/// <param name="Role">Why it is remembered.</param>
/// <param name="Memory">BF16 [G²·Dm]; empty if only the pointer is remembered still.</param>
/// <param name="Pointer">[D].</param>
internal sealed record MemoryState(long Frame, FrameRole Role, ushort[] Memory, float[] Pointer)
{
    private const ushort Exponent = 0x7F80;

    public void Write(StateWriter writer)
    {
        writer.Write(Frame);
        writer.Write((byte)Role);
        writer.WriteFlag(Memory.Length > 0);
        writer.WriteAll<ushort>(Memory);
        writer.WriteAll<float>(Pointer);
    }

    /// <summary>Reads all that an object remembers, which must be what a stream at this place can remember.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="model">Whose shapes it has.</param>
    /// <param name="frames">Frames of the stream.</param>
    public static IReadOnlyList<MemoryState> ReadAll(StateReader reader, SegmentationModel model, long frames)
    {
        int size = model.Banks.Memories.Shape.Last, conditioning = model.ConditioningFrames;
        var all = new MemoryState[reader.ReadInt("an object's memories", 0, MemoryBank.PointerSlots(conditioning))];
        for (int i = 0; i < all.Length; i++)
        {
            long frame = reader.ReadLong("a memory's frame", 0, frames - 1);
            var role = (FrameRole)reader.Read<byte>("a memory's role");
            // The order of roles is that of the bank; only the newest frame can have a prompt that does not count yet.
            if (role > FrameRole.Prompted || i > 0 && role < all[i - 1].Role
                || role == FrameRole.Prompted && frame != frames - 1
                || role == FrameRole.Tracked && frames - 1 - frame > MemoryBank.TrackedPointers)
                throw StateReader.Damaged(FormattableString.Invariant($"frame {frame} cannot be remembered as it is"));
            if (all.Take(i).Any(m => m.Frame == frame && (m.Role == FrameRole.Prompted) == (role == FrameRole.Prompted)))
                throw StateReader.Damaged(FormattableString.Invariant($"frame {frame} is remembered twice"));
            bool hasMemory = reader.ReadFlag("a memory's presence");
            if (!hasMemory && (role != FrameRole.Tracked || frames - 1 - frame <= MemoryBank.TrackedMemories))
                throw StateReader.Damaged(FormattableString.Invariant($"the memory of frame {frame} is missing"));
            ushort[] memory = hasMemory ? reader.ReadAll<ushort>("a memory", size) : [];
            if (memory.Any(v => (v & Exponent) == Exponent)) throw StateReader.Damaged("a memory is not finite");
            all[i] = new MemoryState(frame, role, memory, reader.ReadFloats("a pointer", model.Config.DModel));
        }
        if (all.Count(m => m.Role == FrameRole.Conditioning) > conditioning)
            throw StateReader.Damaged("an object has more conditioning frames than it can");
        return all;
    }
}
