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
        writer.WriteFlag(Options.Logits);
        PictureList.Write(writer, Tiles);
        WordsState words = Words;
        words.Write(writer);
        Conversation.Write(writer, words);
        Stream.Write(writer, words);
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
            Logits = reader.ReadFlag("whether logits are wanted of what is shown"),
        };
        ModelFamily family = model.Config.Family;
        IReadOnlyList<RgbImage> tiles = PictureList.Read(reader, "frames that the language model is shown", ModelFamily.MaxFrames,
            (width, height) => family.IsFrameTile(width, height, model.Config));
        WordsState words = WordsState.Read(reader);
        ConversationState conversation = ConversationState.Read(reader, model, tiles, words);
        StreamState objects = StreamState.Read(reader, model.Segmentation, conversation.Objects, options.KeepFrames, words);
        reader.End();
        var state = new VideoState(options, tiles, conversation, objects);
        return state.Words.Matches(words) ? state : throw StateReader.Damaged("there are questions that belong to nothing");
    }

    /// <summary>What can be asked again.</summary>
    private WordsState Words
    {
        get
        {
            var words = new WordsState();
            words.Add(Conversation.Said);
            foreach (NamedObject o in Stream.Named) words.Add(o.Words);
            return words;
        }
    }
}
