using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Engine.Language;

/// <summary>
/// Takes the turns of all conversations of a model and makes runs of them: decode steps of all that are being answered together, and
/// between two of those one chunk of one prompt, so that nobody's prompt holds up the others for longer. Steps are enqueued before the
/// tokens of those before them are known. Its thread lives while there are turns; nobody else waits. A warm step allocates nothing.
/// </summary>
internal sealed class Scheduler(LanguageModel model) : IDisposable
{
    /// <summary>Prompt tokens per chunk while others are being answered: what a token may be held up by.</summary>
    public const int ChunkBesideDecoding = 128;

    private readonly object _gate = new();
    private readonly Queue<Turn> _arrived = new();
    private Thread? _thread;
    private bool _stopping, _woken;

    // The thread's own.
    private readonly List<Turn> _prefilling = [], _decoding = [], _batch = [];
    private readonly Queue<Step> _enqueued = new();
    private readonly Stack<Step> _spare = new();
    private readonly Stack<int> _slots = new(Enumerable.Range(0, LanguageModel.SlotCount).Reverse());

    /// <summary>Takes a turn; its <see cref="Turn.End"/> tells when it is over.</summary>
    /// <exception cref="ObjectDisposedException">The model is closed.</exception>
    public void Add(Turn turn)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopping, model);
            if (_thread is null)
            {
                // One that cannot be started takes nothing.
                var thread = new Thread(Loop) { IsBackground = true, Name = "sa2va scheduler" };
                thread.Start();
                _thread = thread;
            }
            _arrived.Enqueue(turn);
            WakeThread();
        }
    }

    /// <summary>True when nothing of any turn is enqueued.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate) return _thread is null;
        }
    }

    /// <summary>Turns that have come and have not begun.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _arrived.Count;
        }
    }

    /// <summary>Something that it may have waited for has come.</summary>
    public void Wake()
    {
        lock (_gate) WakeThread();
    }

    /// <summary>Ends all turns. The queue is closed already.</summary>
    public void Dispose()
    {
        Thread? thread;
        lock (_gate)
        {
            _stopping = true;
            WakeThread();
            thread = _thread;
        }
        if (thread != Thread.CurrentThread) thread?.Join();
    }

    private void WakeThread()
    {
        _woken = true;
        Monitor.PulseAll(_gate);
    }

    private void Loop()
    {
        while (true)
        {
            int before = _enqueued.Count;
            Admit();
            EnqueueDecoding();
            EnqueueChunk();
            bool any = _enqueued.Count > 0;
            // The steps of the round before; those of this one are on their way behind them.
            for (int i = 0; i < before; i++) Deliver(_enqueued.Dequeue());
            if (!any && !WaitForWork()) return;
        }
    }

    /// <returns>False when the thread is to end.</returns>
    private bool WaitForWork()
    {
        lock (_gate)
        {
            bool idle = _prefilling.Count + _decoding.Count + _arrived.Count == 0;
            if (_stopping)
            {
                EndAll();
                _thread = null;
                return false;
            }
            if (idle)
            {
                _thread = null;
                model.ForgetFailures();
                model.Pages.Trim();
                return false;
            }
            // A plan is being compiled, or all slots are taken; a caller may lose patience meanwhile.
            if (!_woken) Monitor.Wait(_gate, TimeSpan.FromMilliseconds(20));
            _woken = false;
            return true;
        }
    }

    private void EndAll()
    {
        var closed = new ObjectDisposedException(nameof(Sa2VAModel), "The model was closed.");
        foreach (Turn turn in (Turn[])[.. _prefilling, .. _decoding, .. _arrived]) turn.Fail(closed);
        _prefilling.Clear();
        _decoding.Clear();
        _arrived.Clear();
    }

    private void Admit()
    {
        lock (_gate)
        {
            // All of them are looked at: who loses patience behind others need not wait for those.
            for (int i = _arrived.Count; i > 0; i--)
            {
                Turn turn = _arrived.Dequeue();
                if (turn.Cancellation.IsCancellationRequested) turn.Cancel();
                else if (_slots.TryPop(out int slot))
                {
                    turn.Slot = slot;
                    _prefilling.Add(turn);
                }
                else _arrived.Enqueue(turn);
            }
        }
    }

    private void EnqueueChunk()
    {
        for (int i = 0; i < _prefilling.Count; i++)
        {
            Turn turn = _prefilling[i];
            if (IsCancelled(turn, _prefilling)) i--;
            else if (TryEnqueueChunk(turn)) return;
            else if (turn.IsDone) i--;
        }
    }

    /// <returns>False while its plan is being compiled, or if it failed.</returns>
    private bool TryEnqueueChunk(Turn turn)
    {
        try
        {
            Conversation conversation = turn.Conversation;
            bool samples = turn.Sampling is not null;
            LanguageRun? run = model.Ready(model.PrefillKind(turn.Prompt.Length, turn.NeedsImages, samples));
            // What will be needed next is compiled meanwhile.
            model.Ready(model.DecodeKind(1, turn.Prompt.Length + 1, samples));
            if (run is null) return false;
            int most = _decoding.Count == 0 ? run.Chunk : Math.Min(run.Chunk, ChunkBesideDecoding);
            ReadOnlySpan<int> chunk = turn.Prompt.Slice(conversation.Length, turn.ChunkLength(conversation.Length, most));
            Fence begin = model.Queue.Mark();
            conversation.MakeRoom(chunk.Length);
            // A chunk speaks of one picture at most: the one that comes next.
            int first = 0;
            ReadOnlySpan<int> ahead = turn.Prompt[conversation.Length..];
            if (ahead.ContainsAnyInRange(int.MinValue, -1))
                model.UseImages(conversation.Pictures is { } pictures ? pictures.Of(ahead, out first) : null);
            bool last = conversation.Length + chunk.Length == turn.Prompt.Length;
            if (last) model.NoteHeld(turn);
            run.Prefill(chunk, turn, first);
            conversation.AddPrompt(chunk);

            Step step = NewStep(chunk.Length);
            step.Turns.Add(turn);
            _prefilling.Remove(turn);
            (last ? _decoding : _prefilling).Add(turn);
            if (last) turn.Promised = 1;
            Enqueue(step, begin, reads: last);
            if (turn.WantsStateOf(conversation.Length - 1)) TakeState(turn);
            return true;
        }
        catch (Exception e)
        {
            Leave(turn, e);
            return false;
        }
    }

    private void EnqueueDecoding()
    {
        if (_decoding.Count == 0) return;
        Fence begin;
        try
        {
            begin = model.Queue.Mark();
        }
        catch (Exception e)
        {
            // The queue was closed, or its device is lost: there is no next step for anybody.
            foreach (Turn turn in (Turn[])[.. _decoding]) Leave(turn, e);
            return;
        }
        Step step = NewStep(0);
        // Whoever takes the likeliest token has, to the last bit, what he has where nobody draws.
        EnqueueDecoding(step, samples: false);
        EnqueueDecoding(step, samples: true);
        if (step.Turns.Count == 0)
        {
            Spare(step);
            return;
        }
        try
        {
            Enqueue(step, begin, reads: true);
        }
        catch (Exception e)
        {
            foreach (Turn turn in step.Turns) Leave(turn, e);
            Spare(step);
        }
    }

    /// <summary>Enqueues runs of one kind.</summary>
    private void EnqueueDecoding(Step step, bool samples)
    {
        int capacity = Collect(samples);
        try
        {
            Span<Turn> rest = CollectionsMarshal.AsSpan(_batch);
            while (rest.Length > 0)
            {
                LanguageRun run = Largest(rest.Length, capacity, samples);
                Span<Turn> together = rest[..Math.Min(rest.Length, run.Sequences)];
                run.Decode(together);
                foreach (Turn turn in together)
                {
                    turn.Conversation.AddAnswer();
                    turn.Promised++;
                    step.Turns.Add(turn);
                    if (turn.WantsState) TakeState(turn);
                }
                rest = rest[together.Length..];
            }
        }
        catch (Exception e)
        {
            foreach (Turn turn in _batch) Leave(turn, e);
        }
        _batch.Clear();
    }

    /// <summary>Fills the batch with those of a kind that may go on, each with room for a token more.</summary>
    /// <returns>Tokens that the longest one then has.</returns>
    private int Collect(bool samples)
    {
        int capacity = 0;
        for (int i = 0; i < _decoding.Count; i++)
        {
            Turn turn = _decoding[i];
            if (IsCancelled(turn, _decoding))
            {
                i--;
                continue;
            }
            if (!turn.MayFollow || turn.Sampling is not null != samples) continue;
            try
            {
                int tokens = turn.Conversation.Length + 1;
                if (model.Ready(model.DecodeKind(1, tokens, samples)) is null) continue;
                turn.Conversation.MakeRoom(1);
                capacity = Math.Max(capacity, tokens);
                _batch.Add(turn);
            }
            catch (Exception e)
            {
                Leave(turn, e);
                i--;
            }
        }
        return capacity;
    }

    /// <summary>Where there is no room for the vector, the others go on.</summary>
    private void TakeState(Turn turn)
    {
        turn.WantsState = false;
        try
        {
            turn.OnState!(turn.Slot);
        }
        catch (Exception e)
        {
            Leave(turn, e);
        }
    }

    /// <summary>The run for all of them, or for as many as one can be had for now.</summary>
    private LanguageRun Largest(int turns, int capacity, bool samples)
    {
        for (int n = Math.Min(turns, LanguageModel.MaxSequences); n > 1; n = (n + 1) / 2)
            if (model.ReadyIfPossible(model.DecodeKind(n, capacity, samples)) is { } run) return run;
        return model.Ready(model.DecodeKind(1, capacity, samples))!;
    }

    private Step NewStep(int chunk)
    {
        Step step = _spare.TryPop(out Step? spare) ? spare : new Step();
        step.Chunk = chunk;
        return step;
    }

    /// <summary>Sessions that nobody holds any more must not be held here.</summary>
    private void Spare(Step step)
    {
        step.Turns.Clear();
        _spare.Push(step);
    }

    private void Enqueue(Step step, Fence begin, bool reads)
    {
        step.Arrival = (reads ? model.Queue.BeginRead(model.Next, step.Tokens) : model.Queue.Mark()).Since(begin);
        step.HasTokens = reads;
        _enqueued.Enqueue(step);
    }

    private void Deliver(Step step)
    {
        try
        {
            step.Arrival.Wait();
        }
        catch (Exception e)
        {
            model.ForgetImages();
            foreach (Turn turn in step.Turns) Leave(turn, e);
            Spare(step);
            return;
        }
        foreach (Turn turn in step.Turns)
        {
            if (turn.IsDone || IsCancelled(turn, null)) continue;
            try
            {
                if (step.Chunk > 0) turn.AddPrefilled(step.Chunk);
                if (step.HasTokens) Deliver(turn, step.Tokens[turn.Slot]);
            }
            catch (Exception e)
            {
                Leave(turn, e);
            }
        }
        Spare(step);
    }

    private void Deliver(Turn turn, int token)
    {
        // A negative token says that the row of logits is not finite.
        if (token < 0) throw NotFinite(turn);
        if (turn.Delivered == 0) turn.Conversation.Publish();
        switch (turn.Accept(token))
        {
            case AfterToken.End: Leave(turn, null); break;
            case AfterToken.TakeState when turn.Promised > turn.Delivered: TakeState(turn); break;
            case AfterToken.TakeState: turn.WantsState = true; break;
        }
    }

    private NonFiniteException NotFinite(Turn turn)
    {
        IEnumerable<DeviceBuffer> rows = turn.Conversation.Pictures?.All.SelectMany(p => p.Rows ?? []) ?? [];
        if (rows.Any(r => !FiniteCheck.IsFinite(model.Queue, r)))
            return FiniteCheck.Error("The vision tower or its projector");
        return FiniteCheck.Error(turn.Delivered == 0
            ? "The language model, reading the prompt,"
            : $"The language model, at token {turn.Delivered} of its answer,");
    }

    private bool IsCancelled(Turn turn, List<Turn>? list)
    {
        if (!turn.Cancellation.IsCancellationRequested) return false;
        if (!turn.IsDone) turn.Cancel();
        Leave(turn, null);
        return true;
    }

    /// <summary>A turn is over; what is still enqueued for it was in vain.</summary>
    private void Leave(Turn turn, Exception? error)
    {
        if (error is not null && !turn.IsDone) turn.Fail(error);
        if (!_prefilling.Remove(turn) && !_decoding.Remove(turn)) return;
        _slots.Push(turn.Slot);
    }

    /// <summary>Runs whose results arrive together: a decode step of several turns, or a chunk of one's prompt.</summary>
    private sealed class Step
    {
        public List<Turn> Turns { get; } = new(LanguageModel.SlotCount);

        /// <summary>Prompt tokens; 0 for a decode step.</summary>
        public int Chunk { get; set; }

        /// <summary>Next token of each slot.</summary>
        public int[] Tokens { get; } = new int[LanguageModel.SlotCount];

        public bool HasTokens { get; set; }

        public Fence Arrival { get; set; }
    }
}
