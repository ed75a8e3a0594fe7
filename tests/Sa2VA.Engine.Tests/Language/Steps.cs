using Sa2VA.Engine.Language;

namespace Sa2VA.Tests.Language;

/// <summary>Runs the language model step by step, past the scheduler, on a model that nobody else uses.</summary>
internal sealed class Steps(LanguageModel model)
{
    private int _slots;

    /// <summary>Computes a prompt.</summary>
    /// <param name="prompt">Token ids.</param>
    /// <param name="conversation">What was said before; null to begin one.</param>
    /// <param name="chunk">Most tokens of a run.</param>
    public Turn Begin(int[] prompt, Conversation? conversation = null, int chunk = LanguageModel.PrefillChunk)
    {
        conversation ??= new Conversation(model, null);
        conversation.Begin(prompt);
        var turn = new Turn(conversation, prompt, int.MaxValue, _ => AfterToken.GoOn, CancellationToken.None) { Slot = _slots++ };
        LanguageRun run = Run(model.PrefillKind(prompt.Length, images: false));
        while (conversation.Length < prompt.Length)
        {
            ReadOnlySpan<int> next = prompt.AsSpan(conversation.Length, Math.Min(prompt.Length - conversation.Length, chunk));
            conversation.MakeRoom(next.Length);
            run.Prefill(next, turn);
            conversation.AddPrompt(next);
        }
        return turn;
    }

    /// <summary>Another answer to what a turn has computed so far.</summary>
    public Turn Fork(Turn turn)
    {
        var fork = new Turn(turn.Conversation.Fork(), turn.Prompt.ToArray(), int.MaxValue, _ => AfterToken.GoOn, CancellationToken.None)
        {
            Slot = _slots++,
        };
        model.Queue.Copy(model.Next, turn.Slot, model.Next, fork.Slot, 1);
        return fork;
    }

    /// <summary>One decode step of several turns.</summary>
    /// <param name="turns">Whose tokens.</param>
    /// <param name="sequences">What the run is planned for, at least as many; 0 for the smallest.</param>
    /// <param name="capacity">Tokens that the run is planned for; 0 for what is needed.</param>
    public void Decode(IReadOnlyList<Turn> turns, int sequences = 0, int capacity = 0)
    {
        foreach (Turn turn in turns) turn.Conversation.MakeRoom(1);
        int tokens = Math.Max(capacity, turns.Max(t => t.Conversation.Length) + 1);
        Run(model.DecodeKind(Math.Max(sequences, turns.Count), tokens)).Decode([.. turns]);
        foreach (Turn turn in turns) turn.Conversation.AddAnswer();
    }

    /// <summary>The token that a turn's latest row chose.</summary>
    public int Next(Turn turn)
    {
        var next = new int[1];
        model.Queue.Read<int>(model.Next, next, turn.Slot);
        return next[0];
    }

    /// <summary>Puts another token in the place of the chosen one.</summary>
    public void Say(Turn turn, int token) => model.Queue.Write<int>(model.Next, [token], turn.Slot);

    /// <summary>The state of a turn's latest row [H].</summary>
    public float[] State(Turn turn)
    {
        var state = new float[model.Config.HiddenSize];
        model.Queue.Read<float>(model.Hidden, state, (long)turn.Slot * state.Length);
        return state;
    }

    /// <summary>A prompt of any length.</summary>
    public int[] Prompt(int length, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(Math.Min(300, model.Config.VocabularySize)))];
    }

    private LanguageRun Run(RunKind kind)
    {
        LanguageRun? run = null;
        SpinWait.SpinUntil(() => (run = model.Ready(kind)) is not null);
        return run!;
    }
}
