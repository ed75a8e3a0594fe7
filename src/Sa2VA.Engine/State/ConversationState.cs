using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>
/// A conversation between two questions (docs/session-state.md#the-conversation). Keys and values are computed anew from it: an answer
/// depends on its prompt alone, to the last bit.
/// </summary>
/// <param name="Earlier">Tiles of each picture that was shown before the session's own, in order.</param>
/// <param name="History">Token ids of what was said last and before; −1 − j stands for row j of all pictures.</param>
/// <param name="IsAnswered">True if a question was answered.</param>
/// <param name="IsEnded">True if the last answer ended with its stop marker.</param>
/// <param name="Objects">Objects that were numbered.</param>
/// <param name="Turns">
/// The length of the history behind each answer of the conversation, and whether that answer ended with its stop marker.
/// </param>
/// <param name="Said">The latest question, behind those that it followed up; null before the first one.</param>
internal sealed record ConversationState(IReadOnlyList<IReadOnlyList<RgbImage>> Earlier, int[] History, bool IsAnswered, bool IsEnded,
    int Objects, (int Length, bool Ended)[] Turns, AskedWords? Said)
{
    public void Write(StateWriter writer, WordsState words)
    {
        writer.Write(Earlier.Count);
        foreach (IReadOnlyList<RgbImage> tiles in Earlier) PictureList.Write(writer, tiles);
        writer.Write(History.Length);
        writer.WriteAll<int>(History);
        writer.WriteFlag(IsAnswered);
        writer.WriteFlag(IsEnded);
        writer.Write(Objects);
        writer.Write(Turns.Length);
        foreach ((int length, bool ended) in Turns)
        {
            writer.Write(length);
            writer.WriteFlag(ended);
        }
        words.WriteIndex(writer, Said);
    }

    /// <param name="reader">The state.</param>
    /// <param name="model">Whose tokens they are.</param>
    /// <param name="tiles">Tiles of the session's own picture.</param>
    /// <param name="words">Questions.</param>
    public static ConversationState Read(StateReader reader, Sa2VAModel model, IReadOnlyList<RgbImage> tiles, WordsState words)
    {
        IReadOnlyList<IReadOnlyList<RgbImage>> earlier = ReadEarlier(reader, model, tiles.Count > 0);
        // Where each picture's rows begin, and where the last one's end.
        List<int> borders = [0];
        foreach (IReadOnlyList<RgbImage> picture in earlier.Append(tiles))
            borders.Add(checked(borders[^1] + picture.Sum(t => model.Config.Family.GridOf(t, model.Config).Count)));
        int count = reader.ReadInt("the tokens that were said", 0, model.Config.Language.MaxPositions);
        int[] history = reader.ReadAll<int>("what was said", count);
        bool inOrder = model.Config.Language.Rotary is not null;
        int next = 0;
        foreach (int id in history)
        {
            if (id < -borders[^1] || id >= model.Tokenizer.VocabularySize)
                throw StateReader.Damaged(FormattableString.Invariant($"there is no token {id}"));
            // Positions on three axes follow from the place that a row has in its picture.
            if (!inOrder || id >= 0) continue;
            bool begins = -1 - id > next && borders.Contains(next) && borders.Contains(-1 - id);
            if (-1 - id != next && !begins) throw StateReader.Damaged("a picture's rows are not in order");
            next = -id;
        }
        return new ConversationState(earlier, history, reader.ReadFlag("whether there is an answer"), reader.ReadFlag("whether it ended"),
            reader.ReadInt("the number of objects", 0, int.MaxValue / 2), ReadTurns(reader, count), words.ReadIndex(reader));
    }

    private static IReadOnlyList<IReadOnlyList<RgbImage>> ReadEarlier(StateReader reader, Sa2VAModel model, bool hasOwn)
    {
        // A picture has a token at least; not sized beforehand: how many there are is only true if they come.
        int count = reader.ReadInt("the number of earlier pictures", 0, hasOwn ? model.Config.Language.MaxPositions : 0);
        var earlier = new List<IReadOnlyList<RgbImage>>();
        while (earlier.Count < count)
        {
            earlier.Add(PictureList.Read(reader, "tiles of an earlier picture", ModelFamily.MaxFrames,
                (width, height) => model.Config.Family.IsFrameTile(width, height, model.Config)));
            if (earlier[^1].Count == 0) throw StateReader.Damaged("an earlier picture has no tiles");
        }
        return earlier;
    }

    private static (int Length, bool Ended)[] ReadTurns(StateReader reader, int tokens)
    {
        // A turn has a token at least.
        var turns = new (int Length, bool Ended)[reader.ReadInt("the number of answers", 0, tokens)];
        for (int i = 0; i < turns.Length; i++)
        {
            int least = i == 0 ? 1 : turns[i - 1].Length + 1;
            turns[i] = (reader.ReadInt("an answer's end", least, tokens), reader.ReadFlag("whether an answer ended"));
        }
        return turns;
    }
}
