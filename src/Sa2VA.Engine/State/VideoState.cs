using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>All that a video session is between two calls (docs/session-state.md).</summary>
/// <param name="Options">As it was opened.</param>
/// <param name="Tiles">What the language model is shown.</param>
/// <param name="Conversation">What was said.</param>
/// <param name="Stream">Frames and objects.</param>
internal sealed record VideoState(VideoOptions Options, IReadOnlyList<RgbImage> Tiles, ConversationState Conversation, StreamState Stream)
{
    public void Write(Stream stream, Sa2VAModel model, CancellationToken cancellation)
    {
        using var writer = new StateWriter(stream, cancellation);
        StateHeader.Write(writer, SessionKind.Video, model);
        writer.WriteFlag(Options.ReuseMasks);
        writer.Write(Options.MaxObjects);
        writer.Write(Options.KeepFrames);
        PictureList.Write(writer, Tiles);
        Conversation.Write(writer);
        Stream.Write(writer);
        writer.End();
    }

    /// <summary>Reads and checks all of it; nothing is done with any of it before.</summary>
    public static VideoState Read(Stream stream, Sa2VAModel model, CancellationToken cancellation)
    {
        using var reader = new StateReader(stream, cancellation);
        StateHeader.Check(reader, SessionKind.Video, model);
        var options = new VideoOptions
        {
            ReuseMasks = reader.ReadFlag("whether masks are reused"),
            MaxObjects = reader.ReadInt("the most objects", 1, int.MaxValue),
            KeepFrames = reader.ReadInt("the number of frames to keep", 0, ModelFamily.MaxFrames),
        };
        ModelFamily family = model.Config.Family;
        IReadOnlyList<RgbImage> tiles = PictureList.Read(reader, "frames that the language model is shown", ModelFamily.MaxFrames,
            (width, height) => family.IsFrameTile(width, height, model.Config));
        ConversationState conversation = ConversationState.Read(reader, model, tiles);
        StreamState objects = StreamState.Read(reader, model.Segmentation, conversation.Objects, options.KeepFrames);
        reader.End();
        return new VideoState(options, tiles, conversation, objects);
    }
}
