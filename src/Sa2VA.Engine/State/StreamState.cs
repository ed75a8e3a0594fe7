using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>A stream between two frames (docs/session-state.md#the-stream).</summary>
internal sealed record StreamState
{
    // A hundred years at a million frames a second.
    private const long MostFrames = 1L << 52;

    /// <summary>Frames that it had.</summary>
    public required long Frames { get; init; }

    /// <summary>Columns and rows of the newest one; 0 before the first.</summary>
    public required (int Width, int Height) Size { get; init; }

    /// <summary>
    /// The newest one as the image encoder saw it [S, S, 3]; empty before the first, and where there was no memory to keep it.
    /// </summary>
    public required byte[] Levels { get; init; }

    /// <summary>The newest frames as they came, as many as are kept.</summary>
    public required IReadOnlyList<RgbImage> Recent { get; init; }

    /// <summary>Frames in a row, up to the newest, on which an object that words named is lost.</summary>
    public required long LostFrames { get; init; }

    /// <summary>Each object's number, whether its logits are wanted, and which words named it.</summary>
    public required IReadOnlyList<NamedObject> Named { get; init; }

    /// <summary>What is known of each.</summary>
    public required IReadOnlyList<TrackState> Tracks { get; init; }

    public void Write(StateWriter writer, WordsState words)
    {
        writer.Write(Frames);
        writer.Write(Size.Width);
        writer.Write(Size.Height);
        writer.WriteFlag(Levels.Length > 0);
        writer.WriteAll<byte>(Levels);
        PictureList.Write(writer, Recent);
        writer.Write(LostFrames);
        writer.Write(Named.Count);
        for (int i = 0; i < Named.Count; i++)
        {
            writer.Write(Named[i].Id);
            writer.WriteFlag(Named[i].Logits);
            words.WriteIndex(writer, Named[i].Words);
            writer.Write(Named[i].Place);
            Tracks[i].Write(writer);
        }
    }

    /// <param name="reader">The state.</param>
    /// <param name="model">Whose shapes it has.</param>
    /// <param name="numbers">Objects that were numbered.</param>
    /// <param name="kept">Frames that are kept as they come.</param>
    /// <param name="words">Questions.</param>
    public static StreamState Read(StateReader reader, SegmentationModel model, int numbers, int kept, WordsState words)
    {
        long frames = reader.ReadLong("the number of frames", 0, MostFrames);
        (int width, int height) = (reader.Read<int>("the newest frame's width"), reader.Read<int>("the newest frame's height"));
        if (frames == 0 ? (width, height) != (0, 0) : !PixelSize.IsWithin(width, height))
            throw StateReader.Damaged(FormattableString.Invariant($"the newest of {frames} frames has {width}×{height} pixels"));
        int side = model.Config.ImageSize;
        bool hasLevels = reader.ReadFlag("the newest frame's presence");
        if (hasLevels && frames == 0) throw StateReader.Damaged("there is a newest frame, but no frame");
        byte[] levels = hasLevels ? reader.ReadAll<byte>("the newest frame", side * side * 3) : [];
        IReadOnlyList<RgbImage> recent = PictureList.Read(reader, "frames that are kept", (int)Math.Min(kept, frames), (_, _) => true);
        long lost = reader.ReadLong("the frames on which an object is lost", 0, frames);
        int count = reader.ReadInt("the number of objects that are followed", 0, numbers);
        // Not sized beforehand: how many there are is only true if they come.
        var named = new List<NamedObject>();
        var tracks = new List<TrackState>();
        for (int i = 0; i < count; i++)
        {
            int id = reader.ReadInt("an object's number", i == 0 ? 0 : named[^1].Id + 1, numbers - 1);
            named.Add(new NamedObject(id, reader.ReadFlag("whether logits are wanted"), words.ReadIndex(reader),
                reader.ReadInt("an object's place", 0, numbers)));
            tracks.Add(TrackState.Read(reader, model, frames, hasLevels));
        }
        return new StreamState
        {
            Frames = frames, Size = (width, height), Levels = levels, Recent = recent, LostFrames = lost, Named = named,
            Tracks = tracks,
        };
    }
}
