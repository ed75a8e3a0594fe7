using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>What a stream knows of an object (docs/session-state.md#an-object).</summary>
internal sealed record TrackState
{
    private const float PlaceLimit = 1e6f;

    /// <summary>First frames that language names.</summary>
    public required int ConditioningFrames { get; init; }

    /// <summary>How many of these are past.</summary>
    public required int Conditioned { get; init; }

    /// <summary>[SEG] vector [D] while frames are still to be conditioned on it, else empty.</summary>
    public required float[] Seg { get; init; }

    /// <summary>True if the newest frame was found from memory.</summary>
    public required bool IsTracked { get; init; }

    /// <summary>Points on the newest frame, in pixels of the encoder's input.</summary>
    public required PointPrompt[] Points { get; init; }

    /// <summary>What was found on the newest frame [<see cref="MaskColumns"/>, without what fills the row]; empty without a mask.</summary>
    public required float[] Row { get; init; }

    /// <summary>What is remembered, in the bank's order.</summary>
    public required IReadOnlyList<MemoryState> Memories { get; init; }

    public void Write(StateWriter writer)
    {
        writer.Write(ConditioningFrames);
        writer.Write(Conditioned);
        writer.WriteAll<float>(Seg);
        writer.WriteFlag(IsTracked);
        writer.Write(Points.Length);
        foreach (PointPrompt p in Points)
        {
            writer.Write(p.X);
            writer.Write(p.Y);
            writer.Write((sbyte)p.Label);
        }
        writer.WriteFlag(Row.Length > 0);
        writer.WriteAll<float>(Row);
        writer.Write(Memories.Count);
        foreach (MemoryState memory in Memories) memory.Write(writer);
    }

    /// <param name="reader">The state.</param>
    /// <param name="model">Whose shapes it has.</param>
    /// <param name="frames">Frames of the stream.</param>
    /// <param name="hasNewest">True if the newest frame is there.</param>
    public static TrackState Read(StateReader reader, SegmentationModel model, long frames, bool hasNewest)
    {
        int most = model.ConditioningFrames;
        int conditioning = reader.ReadInt("an object's conditioning frames", 0, most);
        int conditioned = reader.ReadInt("an object's conditioned frames", 0, conditioning);
        float[] seg = conditioned < conditioning ? reader.ReadFloats("an object's language vector", model.Config.DModel) : [];
        bool isTracked = reader.ReadFlag("an object's way of being found");
        var points = new PointPrompt[reader.ReadInt("an object's points", 0, FramePrompt.MaxSparse - 2)];
        for (int i = 0; i < points.Length; i++)
        {
            float[] place = reader.ReadFloats("a point", 2);
            if (place.Any(v => v is < -PlaceLimit or > PlaceLimit)) throw StateReader.Damaged("a point lies far outside its frame");
            int label = reader.Read<sbyte>("a point's label");
            if (label is < (int)PointLabel.Negative or > (int)PointLabel.BoxBottomRight) throw StateReader.Damaged("a point has no label");
            points[i] = new PointPrompt(place[0], place[1], (PointLabel)label);
        }
        float[] row = reader.ReadFlag("an object's mask") ? ReadRow(reader, model) : [];
        if (row.Length > 0 && !hasNewest) throw StateReader.Damaged("there is a mask, but no frame");
        if ((isTracked || points.Length > 0) && row.Length == 0) throw StateReader.Damaged("an object was found and has no mask");
        IReadOnlyList<MemoryState> memories = MemoryState.ReadAll(reader, model, frames);
        if (seg.Length == 0 && memories.Count == 0) throw StateReader.Damaged("an object has neither words nor memory");
        return new TrackState
        {
            ConditioningFrames = conditioning, Conditioned = conditioned, Seg = seg, IsTracked = isTracked, Points = points, Row = row,
            Memories = memories,
        };
    }

    private static float[] ReadRow(StateReader reader, SegmentationModel model)
    {
        var columns = new MaskColumns(model.Config);
        float[] row = reader.ReadFloats("a mask", columns.Pointer + columns.PointerCount);
        if (row[columns.Selected] is not (0 or 1 or 2 or 3)) throw StateReader.Damaged("a mask is none of four candidates");
        return row;
    }
}
