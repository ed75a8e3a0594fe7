using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Language;

/// <summary>Pages: who holds which, what is in them, and what they cost.</summary>
public sealed class PagePoolTests
{
    private const int PageRows = KvLayout.PageRows;

    [Theory]
    [InlineData(Precision.BFloat16, 20)]
    [InlineData(Precision.Float32, 40)]
    public void A_chat_of_1400_tokens_of_the_1B_model_holds_no_more_than(Precision precision, int megabytes)
    {
        Sa2VAConfig config = SyntheticPresets.Get("sa2va-1b");
        using IBackend backend = new CpuDevice { Precision = precision }.OpenCounting();
        using var model = new LanguageModel(backend, new SyntheticWeights(config), config.Language, imageRows: 256);
        long before = backend.Memory.Buffers;
        using var conversation = new Conversation(model, null);
        conversation.MakeRoom(1400);
        Assert.InRange(backend.Memory.Buffers - before, megabytes * 800_000, megabytes * 1_000_000);
    }

    [Fact]
    public void A_pool_that_is_full_refuses_one_and_keeps_the_others()
    {
        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        int room = KvLayout.PagesFor(prompt.Length + Shapes.Case("text-what").OutputIds.Count + 1) * PageRows;
        using Sa2VAModel model = Shapes.Load(options: new ModelOptions { MaxTokens = room + PageRows });
        using TextSession first = model.OpenText(), second = model.OpenText();
        Assert.Equal(Shapes.Case("text-what").Prediction, first.Ask("What can you do?").Raw);
        string message = Assert.Throws<DeviceMemoryException>(() => second.Ask("Hello, hello, hello, hello, hello, hello")).Message;
        Assert.Contains("MaxTokens", message, StringComparison.Ordinal);
        Assert.Contains($"{room + PageRows} tokens", message, StringComparison.Ordinal);
        Assert.Equal(Shapes.Case("text-what").Prediction, first.Ask("What can you do?").Raw);
        first.Dispose();
        Assert.Equal(Shapes.Case("text-hello").Prediction, second.Ask("Hello").Raw);
        Assert.Throws<PromptException>(() => Shapes.Load(options: new ModelOptions { MaxTokens = -1 }));
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(4)]
    public void Whatever_conversations_do_each_finds_its_own_tokens(int seed)
    {
        using IBackend backend = new CpuDevice().OpenCounting();
        using Checkpoint checkpoint = Checkpoint.Open(Shapes.Folder);
        using var model = new LanguageModel(backend, checkpoint, Sa2VAConfig.Read(Shapes.Folder).Language, imageRows: 64);
        var random = new Random(seed);
        var chats = new List<Chat>();
        // What is in each row of the pool, as the runs would have written it.
        var rows = new Dictionary<int, int>();
        int shared = 0;
        for (int step = 0; step < 3000; step++)
        {
            Chat? chat = chats.Count == 0 ? null : chats[random.Next(chats.Count)];
            switch (random.Next(8))
            {
                case 0 when chats.Count < 8: chats.Add(new Chat(new Conversation(model, null), [])); break;
                case 1 when chat is not null && chats.Count < 8: chats.Add(new Chat(chat.Conversation.Fork(), [.. chat.Tokens])); break;
                case 2 when chat is not null:
                    chat.Conversation.Dispose();
                    chats.Remove(chat);
                    break;
                case 3 when chat is not null: Answer(chat, random.Next(1, 20)); break;
                case 4 when chat is not null:
                    chat.Conversation.Forget();
                    chat.Tokens.Clear();
                    break;
                case > 4 when chat is not null: shared += Ask(chat); break;
            }
            foreach (Chat c in chats)
            {
                Assert.Equal(c.Tokens.Count, c.Conversation.Length);
                for (int i = 0; i < c.Tokens.Count; i++) Assert.Equal(c.Tokens[i], rows[RowOf(c, i)]);
            }
            Assert.Equal(chats.SelectMany(c => c.Conversation.Pages.ToArray()).Distinct().Count(), model.Pages.HeldPages);
        }
        Assert.True(shared > 1000, $"Only {shared} tokens were found in others' pages.");
        foreach (Chat c in chats) c.Conversation.Dispose();
        Assert.Equal((0, 0), (model.Pages.HeldPages, (int)model.Pages.CommittedBytes));

        // A prompt from a few beginnings, so that they meet; computed in chunks, and published at its end.
        int Ask(Chat chat)
        {
            int beginning = random.Next(3), length = random.Next(1, 120), own = random.Next(0, 40);
            int[] prompt = [.. Enumerable.Range(0, length).Select(i => 1000 * beginning + i / 16),
                .. Enumerable.Range(0, own + 1).Select(_ => random.Next(10_000, 20_000))];
            int known = Math.Min(chat.Tokens.Count, prompt.Length - 1), begun = chat.Conversation.Begin(prompt);
            chat.Tokens.Clear();
            chat.Tokens.AddRange(prompt[..begun]);
            while (chat.Tokens.Count < prompt.Length)
            {
                int count = Math.Min(random.Next(1, 70), prompt.Length - chat.Tokens.Count);
                int[] chunk = prompt[chat.Tokens.Count..(chat.Tokens.Count + count)];
                Write(chat, chunk);
                chat.Conversation.AddPrompt(chunk);
            }
            chat.Conversation.Publish();
            return Math.Max(0, begun - known);
        }

        void Answer(Chat chat, int tokens)
        {
            for (int i = 0; i < tokens; i++)
            {
                Write(chat, [random.Next(20_000, 30_000)]);
                chat.Conversation.AddAnswer();
            }
        }

        void Write(Chat chat, int[] tokens)
        {
            int[] before = chat.Conversation.Pages.ToArray();
            chat.Conversation.MakeRoom(tokens.Length);
            ReadOnlySpan<int> after = chat.Conversation.Pages;
            // A page that was copied has what the old one had.
            for (int p = 0; p < before.Length; p++)
                for (int r = 0; before[p] != after[p] && r < PageRows; r++)
                    if (rows.TryGetValue(before[p] * PageRows + r, out int token)) rows[after[p] * PageRows + r] = token;
            foreach (int token in tokens)
            {
                chat.Tokens.Add(token);
                rows[RowOf(chat, chat.Tokens.Count - 1)] = token;
            }
        }

        static int RowOf(Chat chat, int i) => chat.Conversation.Pages[i / PageRows] * PageRows + i % PageRows;
    }

    private sealed record Chat(Conversation Conversation, List<int> Tokens);
}
