using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Engine.State;

/// <summary>Questions that can be asked again (docs/session-state.md#questions), each behind the one that it followed up.</summary>
internal sealed class WordsState
{
    private const int None = -1, MostBytes = 1 << 26, MostStopBytes = AskOptions.MaxStopStringLength * 3;
    private readonly List<AskedWords> _all = [];

    /// <summary>Adds what is not there yet.</summary>
    public void Add(AskedWords? words)
    {
        foreach (AskedWords turn in words?.Turns() ?? [])
            if (IndexOf(turn) < 0) _all.Add(turn);
    }

    /// <summary>True if both hold the same, in the same order.</summary>
    public bool Matches(WordsState other) =>
        _all.Count == other._all.Count && _all.Zip(other._all).All(p => ReferenceEquals(p.First, p.Second));

    /// <summary>Writes which one it is, or none.</summary>
    public void WriteIndex(StateWriter writer, AskedWords? words) => writer.Write(IndexOf(words));

    /// <summary>Reads which one it is, or none.</summary>
    public AskedWords? ReadIndex(StateReader reader) =>
        reader.ReadInt("which question", None, _all.Count - 1) is >= 0 and int index ? _all[index] : null;

    public void Write(StateWriter writer)
    {
        writer.Write(_all.Count);
        foreach (AskedWords words in _all)
        {
            writer.WriteText(words.Text);
            WriteIndex(writer, words.Before);
            Write(writer, words.Options);
        }
    }

    public static WordsState Read(StateReader reader)
    {
        var state = new WordsState();
        // Not sized beforehand: how many there are is only true if they come.
        for (int count = reader.ReadInt("the number of questions", 0, int.MaxValue); count > 0; count--)
        {
            string text = reader.ReadText("a question", MostBytes);
            AskedWords? before = state.ReadIndex(reader);
            state._all.Add(new AskedWords(text, ReadOptions(reader), before));
        }
        return state;
    }

    private static void Write(StateWriter writer, AskOptions options)
    {
        writer.Write(options.MaxNewTokens);
        writer.Write(options.StopStrings.Count);
        foreach (string stop in options.StopStrings) writer.WriteText(stop);
        writer.WriteFlag(options.AnswerPrefix is not null);
        if (options.AnswerPrefix is not null) writer.WriteText(options.AnswerPrefix);
        writer.Write(options.Temperature);
        writer.Write(options.TopK);
        writer.Write(options.TopP);
        writer.Write(options.RepetitionPenalty);
        writer.WriteFlag(options.Seed is not null);
        if (options.Seed is { } seed) writer.Write(seed);
        writer.WriteFlag(options.SpecialTokens == SpecialTokenText.PlainText);
        writer.WriteFlag(options.Logits);
    }

    private static AskOptions ReadOptions(StateReader reader)
    {
        int tokens = reader.ReadInt("the most tokens of an answer", 1, int.MaxValue);
        var stops = new string[reader.ReadInt("the number of stop strings", 0, AskOptions.MaxStopStrings)];
        for (int i = 0; i < stops.Length; i++) stops[i] = reader.ReadText("a stop string", MostStopBytes);
        bool begun = reader.ReadFlag("whether an answer's beginning is given");
        string? prefix = begun ? reader.ReadText("an answer's beginning", MostBytes) : null;
        try
        {
            return new AskOptions
            {
                MaxNewTokens = tokens,
                StopStrings = stops,
                AnswerPrefix = prefix,
                Temperature = reader.Read<float>("a temperature"),
                TopK = reader.Read<int>("a top-k"),
                TopP = reader.Read<float>("a top-p"),
                RepetitionPenalty = reader.Read<float>("a repetition penalty"),
                Seed = reader.ReadFlag("whether there is a seed") ? reader.Read<long>("a seed") : null,
                SpecialTokens = reader.ReadFlag("how special tokens are read") ? SpecialTokenText.PlainText : SpecialTokenText.Parse,
                Logits = reader.ReadFlag("whether logits are wanted"),
            };
        }
        catch (ArgumentException)
        {
            throw StateReader.Damaged("a question's options cannot be");
        }
    }

    private int IndexOf(AskedWords? words) => words is null ? None : _all.FindIndex(w => ReferenceEquals(w, words));
}
