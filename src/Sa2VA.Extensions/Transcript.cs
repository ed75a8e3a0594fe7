using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.AI;
using Sa2VA.Core;

namespace Sa2VA.Extensions;

/// <summary>A question of a conversation, and its answer where there is one.</summary>
/// <param name="Text">The user's text.</param>
/// <param name="Picture">The file of the picture that the user shows with it, or null.</param>
/// <param name="Answer">What was answered; null for the question that is asked now.</param>
internal sealed record TranscriptTurn(string Text, DataContent? Picture, string? Answer);

/// <summary>The messages of a conversation as turns: questions with their pictures, and answers.</summary>
internal sealed class Transcript
{
    private readonly byte[][] _keys;

    private Transcript(IReadOnlyList<TranscriptTurn> turns)
    {
        Turns = turns;
        _keys = new byte[turns.Count][];
        byte[] before = [];
        for (int i = 0; i < turns.Count - 1; i++) _keys[i] = before = Key(before, turns[i], turns[i].Answer!);
    }

    /// <summary>Turns; the last one has no answer.</summary>
    public IReadOnlyList<TranscriptTurn> Turns { get; }

    /// <summary>What tells the first turns from other beginnings.</summary>
    public string KeyOf(int turns) => Convert.ToHexString(_keys[turns - 1]);

    /// <summary>The same of all turns, once the last one is answered.</summary>
    public string KeyWith(string answer) => Convert.ToHexString(Key(Turns.Count > 1 ? _keys[^2] : [], Turns[^1], answer));

    /// <summary>Reads messages.</summary>
    /// <exception cref="PromptException">They are no such conversation, or hold what the model cannot be given.</exception>
    public static Transcript Of(IEnumerable<ChatMessage> messages)
    {
        var turns = new List<TranscriptTurn>();
        StringBuilder user = new(), assistant = new();
        DataContent? picture = null;
        bool answering = false, asked = false;
        foreach (ChatMessage message in messages)
        {
            if (message.Role == ChatRole.User)
            {
                if (answering) Close();
                asked = true;
                picture = AddQuestion(message, user, picture);
            }
            else if (message.Role == ChatRole.Assistant)
            {
                if (!asked) throw new PromptException("The conversation begins with an answer; it begins with the user's message.");
                answering = true;
                AddAnswer(message, assistant);
            }
            else if (message.Role == ChatRole.System) throw AskMapping.NoInstructions();
            else throw new PromptException($"Messages of the role '{message.Role}' are not supported; user and assistant are.");
        }
        if (answering || !asked) throw new PromptException("The last message is not the user's: there is nothing to answer.");
        turns.Add(new TranscriptTurn(user.ToString(), picture, null));
        return new Transcript(turns);

        void Close()
        {
            turns.Add(new TranscriptTurn(user.ToString(), picture, assistant.ToString()));
            (picture, answering) = (null, false);
            user.Clear();
            assistant.Clear();
        }
    }

    private static DataContent? AddQuestion(ChatMessage message, StringBuilder text, DataContent? picture)
    {
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent t: text.Append(t.Text); break;
                case DataContent d when d.HasTopLevelMediaType("image"):
                    picture = picture is null ? d
                        : throw new PromptException("A message shows more than one picture; show one with each question.");
                    break;
                case DataContent d: throw new PromptException($"Data of the type '{d.MediaType}' cannot be seen; pictures (image/*) can.");
                case UriContent u:
                    throw new PromptException($"Nothing is fetched from '{u.Uri}'; give the picture's bytes as {nameof(DataContent)}.");
                default: throw new PromptException($"A user's message cannot hold {content.GetType().Name}; text and pictures it can.");
            }
        }
        return picture;
    }

    private static void AddAnswer(ChatMessage message, StringBuilder text)
    {
        foreach (AIContent content in message.Contents)
        {
            if (content is TextContent t) text.Append(t.Text);
            // Masks follow from the text, usage from nothing that is asked.
            else if (content is not (MaskContent or UsageContent))
                throw new PromptException($"An answer cannot hold {content.GetType().Name}; text and masks it can.");
        }
    }

    private static byte[] Key(byte[] before, TranscriptTurn turn, string answer)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(before);
        Append(Encoding.UTF8.GetBytes(turn.Text));
        Append(turn.Picture is { } picture ? picture.Data.Span : []);
        Append(Encoding.UTF8.GetBytes(answer));
        return hash.GetHashAndReset();

        void Append(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
    }
}
