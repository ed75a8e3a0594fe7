using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Language;

/// <summary>Sequences that decode together have, bit for bit, what each has alone: in any company, of any length, in any pages.</summary>
public sealed class DecodeBatchTests : IDisposable
{
    private readonly Sa2VAModel _model = Shapes.Load(new Cpu.CpuDevice { Threads = 2 });
    private readonly Steps _steps;

    public DecodeBatchTests() => _steps = new Steps(_model.LanguageModel);

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 16)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(5, 8)]
    [InlineData(8, 8)]
    [InlineData(11, 16)]
    [InlineData(16, 16)]
    public void Together_as_alone(int chats, int sequences)
    {
        int[] lengths = [1, 15, 16, 17, 31, 33, 64, 90, 95, 97, 128, 130, 200, 3, 48, 250];
        Turn[] alone = [.. Enumerable.Range(0, chats).Select(i => _steps.Begin(_steps.Prompt(lengths[i], i)))];
        var expected = new List<(int Next, float[] State)>();
        for (int step = 0; step < 20; step++)
            foreach (Turn turn in alone)
            {
                _steps.Decode([turn]);
                expected.Add((_steps.Next(turn), _steps.State(turn)));
            }
        Turn[] together = [.. Enumerable.Range(0, chats).Select(i => _steps.Begin(_steps.Prompt(lengths[i], i), chunk: 60))];
        for (int step = 0; step < 20; step++)
        {
            // In another order each time: nobody has a place of his own.
            _steps.Decode([.. together.Skip(step % chats), .. together.Take(step % chats)], sequences);
            for (int i = 0; i < chats; i++) Same(expected[step * chats + i], together[i], $"chat {i} of {chats} at step {step}");
        }
    }

    [Fact]
    public void Whoever_joins_or_leaves_changes_nobody_else()
    {
        int[][] prompts = [.. Enumerable.Range(0, 6).Select(i => _steps.Prompt(20 + 13 * i, i))];
        var expected = new List<(int, float[])>[6];
        for (int i = 0; i < 6; i++)
        {
            Turn turn = _steps.Begin(prompts[i]);
            expected[i] = [];
            for (int step = 0; step < 12; step++)
            {
                _steps.Decode([turn]);
                expected[i].Add((_steps.Next(turn), _steps.State(turn)));
            }
            turn.Conversation.Dispose();
        }
        var turns = new Dictionary<int, (Turn Turn, int Step)>();
        for (int round = 0; round < 24; round++)
        {
            if (round % 2 == 0 && round < 12) turns.Add(round / 2, (_steps.Begin(prompts[round / 2]), 0));
            if (turns.Count == 0) continue;
            _steps.Decode([.. turns.Values.Select(t => t.Turn)]);
            foreach ((int i, (Turn turn, int step)) in turns.ToArray())
            {
                Same(expected[i][step], turn, $"chat {i} at step {step}");
                turns[i] = (turn, step + 1);
                if (step + 1 < 12) continue;
                turn.Conversation.Dispose();
                turns.Remove(i);
            }
        }
        Assert.Equal(0, _model.LanguageModel.Pages.HeldPages);
    }

    [Fact]
    public void A_run_for_longer_sequences_gives_the_same_bits()
    {
        int[] prompt = _steps.Prompt(1015, 1);
        Turn small = _steps.Begin(prompt), large = _steps.Begin(prompt), beside = _steps.Begin(_steps.Prompt(1500, 2));
        for (int step = 0; step < 20; step++)
        {
            // The first one passes the boundary between two plans on its way; the second one always runs in a larger one.
            _steps.Decode([small]);
            _steps.Decode([beside, large]);
            Same((_steps.Next(small), _steps.State(small)), large, $"step {step}");
        }
    }

    [Fact]
    public void A_fork_shares_what_was_said_and_goes_its_own_way()
    {
        int[] prompt = _steps.Prompt(53, 1);
        (int, float[])[] first = Say(_steps.Begin(prompt), 7), second = Say(_steps.Begin(prompt), 9);
        Assert.NotEqual(first[^1].Item2, second[^1].Item2);

        Turn one = _steps.Begin(prompt), two = _steps.Fork(one), three = _steps.Fork(one);
        int held = _model.LanguageModel.Pages.HeldPages;
        // The page in which they go on is copied by those who go on while others hold it; the three full ones are shared to the end.
        _steps.Say(one, 7);
        _steps.Say(two, 9);
        _steps.Say(three, 7);
        foreach ((Turn turn, (int, float[])[] expected) in ((Turn, (int, float[])[])[])[(one, first), (two, second), (three, first)])
        {
            for (int step = 0; step < expected.Length; step++)
            {
                _steps.Decode([turn]);
                Same(expected[step], turn, $"step {step}");
            }
        }
        Assert.Equal(one.Conversation.Pages[..3], two.Conversation.Pages[..3]);
        Assert.NotEqual(one.Conversation.Pages[3], two.Conversation.Pages[3]);
        Assert.NotEqual(one.Conversation.Pages[3], three.Conversation.Pages[3]);
        Assert.Equal(held + 3 + 2, _model.LanguageModel.Pages.HeldPages);
        one.Conversation.Dispose();
        _steps.Decode([two, three]);
        two.Conversation.Dispose();
        three.Conversation.Dispose();
        Assert.Equal(held - 4, _model.LanguageModel.Pages.HeldPages);

        (int, float[])[] Say(Turn turn, int token)
        {
            _steps.Say(turn, token);
            var steps = new (int, float[])[15];
            for (int i = 0; i < steps.Length; i++)
            {
                _steps.Decode([turn]);
                steps[i] = (_steps.Next(turn), _steps.State(turn));
            }
            return steps;
        }
    }

    [Fact]
    public void A_prompt_that_somebody_has_computed_is_shared()
    {
        int[] prompt = _steps.Prompt(100, 1), other = [.. prompt[..70], .. _steps.Prompt(40, 2)];
        Turn alone = _steps.Begin(other);
        _steps.Decode([alone]);
        (int, float[]) expected = (_steps.Next(alone), _steps.State(alone));
        alone.Conversation.Dispose();

        Turn first = _steps.Begin(prompt);
        Assert.Equal(0, new Conversation(_model.LanguageModel, null).Begin(other));
        first.Conversation.Publish();
        int held = _model.LanguageModel.Pages.HeldPages;
        Turn second = _steps.Begin(other);
        // Four full pages of sixteen are the same, of the fifth only six tokens.
        Assert.Equal(other.Length - 64, second.Conversation.PrefilledTokens);
        Assert.Equal(held + 3, _model.LanguageModel.Pages.HeldPages);
        _steps.Decode([second]);
        Same(expected, second, "with a shared beginning");

        // The first one leaves; the second one goes back to its beginning and says something else there.
        first.Conversation.Dispose();
        int[] third = [.. other[..20], .. _steps.Prompt(30, 3)];
        Turn again = _steps.Begin(third, second.Conversation);
        _steps.Decode([again]);
        Turn fresh = _steps.Begin(third);
        _steps.Decode([fresh]);
        Same((_steps.Next(fresh), _steps.State(fresh)), again, "after going back");
        again.Conversation.Dispose();
        fresh.Conversation.Dispose();
        Assert.Equal(0, _model.LanguageModel.Pages.HeldPages);
        Assert.Equal(0, new Conversation(_model.LanguageModel, null).Begin(prompt));
    }

    [Fact]
    public void A_page_that_others_can_find_is_not_overwritten()
    {
        int[] prompt = _steps.Prompt(60, 1), back = [.. prompt[..20], .. _steps.Prompt(25, 2)];
        Turn first = _steps.Begin(prompt);
        first.Conversation.Publish();
        // It goes back into a page that it has published; who comes now must not be given it.
        Turn again = _steps.Begin(back, first.Conversation);
        again.Conversation.Publish();
        Turn late = _steps.Begin(prompt);
        Assert.Equal(prompt.Length - 16, late.Conversation.PrefilledTokens);
        Turn fresh = _steps.Begin(back);
        Assert.Equal(back.Length - 32, fresh.Conversation.PrefilledTokens);
        _steps.Decode([again]);
        _steps.Decode([fresh]);
        Same((_steps.Next(again), _steps.State(again)), fresh, "after the page was withdrawn");
    }

    private void Same((int Next, float[] State) expected, Turn turn, string when)
    {
        Assert.True(expected.State.AsSpan().SequenceEqual(_steps.State(turn)), $"The state differs: {when}.");
        Assert.Equal(expected.Next, _steps.Next(turn));
    }
}
