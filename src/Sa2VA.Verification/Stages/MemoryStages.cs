using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>Single frames behind a recorded bank: memory attention alone, and a whole tracked frame.</summary>
internal static class MemoryStages
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages)
    {
        stages.Add("net.memory_attention", Attention);
        stages.Add("net.track_step", TrackStep);
    }

    private static StageOutputs Attention(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        var recorded = new RecordedBank(c);
        var outputs = new StageOutputs().AddCheck(recorded.Check);
        if (!recorded.Check.Passed) return outputs;

        GraphBuilder g = c.Graph();
        WeightScope w = c.Scope(g);
        Tensor f = FrameInputs.DeclareF(g, config);
        var bank = new MemoryBankTensors(g, config, recorded.Pools, ObjectBatch.One);
        var selection = new BankSelection(g, config, recorded.Pools, ObjectBatch.One);
        Tensor pix = g.Output("pix", MemoryAttention.Record(g, f, bank.Gather(g, selection, w, config.ImageSize / 16), ObjectBatch.One,
            w.At("memory_attention"), config));
        using var run = new GraphRun(c, g.Build());
        recorded.Write(run, bank, selection);
        run.Write(f, c.In("f").Expect(f.Shape.ToArray()).Floats);
        return outputs.Add("pix", run.Execute().Floats(pix), f.Shape.ToArray());
    }

    private static StageOutputs TrackStep(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        int side = config.ImageSize / 4, tokens = side * side / 16;
        var recorded = new RecordedBank(c);
        var outputs = new StageOutputs().AddCheck(recorded.Check);
        if (!recorded.Check.Passed) return outputs;

        var prompts = new PromptEncoder(c.Scope(c.Graph()).At("sam_prompt_encoder"), config);
        var graph = new TrackedFrameGraph(c.Weights, c.Prefix, config, prompts, recorded.Pools);
        using var run = new GraphRun(c, graph.Graph);
        recorded.Write(run, graph.Bank, graph.Selection);
        FrameMaps.Write(c, run, graph.Frame, "f");
        run.Set(graph.Results.Rows, [0]).Execute();
        var columns = new MaskColumns(config);
        Tensor results = graph.Results.Results;
        long size = graph.Bank.Memories.Shape.Last;
        return outputs.Add("low", run.Floats(results, 0, columns.LowCount), side, side)
            .Add("ious", run.Floats(results, columns.Ious + 1, 3), 3)
            .Add("selected_index", [(long)run.Floats(results, columns.Selected, 1)[0]], 1)
            .Add("object_logit", run.Floats(results, columns.ObjectLogit, 1), 1)
            .Add("ptr", run.Floats(results, columns.Pointer, config.DModel), config.DModel)
            .Add("mem", run.Floats(graph.Bank.Unrounded!, recorded.NextMemorySlot * size, size), tokens, config.MemDim);
    }

    /// <summary>
    /// The memories and pointers of a golden file, which lists them in the order of attention. They go to the slots that the engine's own
    /// bookkeeping chooses in the same situation, whose time codes must be the recorded ones.
    /// </summary>
    private sealed class RecordedBank
    {
        private readonly GoldenTensor _memories, _pointers;
        private readonly MemoryBank _bank;
        private readonly int[] _slots, _times, _pointerSlots;

        public RecordedBank(StageContext c)
        {
            GroundingConfig config = c.Config.Grounding;
            int grid = config.ImageSize / 16, frame = c.Golden.Params.Int("frame", 1, 1 << 20);
            int conditioningFrames = c.Golden.Params.Int("cond_frames", 1, 64);
            if (frame < conditioningFrames) throw c.Golden.Bad("tracks a frame that is conditioned");
            (_memories, _pointers) = (c.In("mem"), c.In("ptrs"));
            GoldenTensor times = c.In("tpos");
            int count = times.DimsOf(1)[0], pointers = _pointers.DimsOf(2)[0];
            _memories.Expect(count, grid * grid, config.MemDim);
            _pointers.Expect(pointers, config.DModel);

            Pools = BankPools.For(1, conditioningFrames, unrounded: true);
            _bank = new MemoryBank(conditioningFrames, new SlotPool("memories", Pools.MemorySlots),
                new SlotPool("pointers", Pools.PointerSlots));
            for (int i = 0; i < frame; i++)
            {
                if (i < conditioningFrames) _bank.KeepPrompted(i);
                else _bank.KeepTracked(i);
                _bank.Settle();
                _bank.Forget(i);
            }
            _slots = new int[MemoryBank.MaxMemories(conditioningFrames)];
            _times = new int[_slots.Length];
            _pointerSlots = new int[MemoryBank.MaxPointers(conditioningFrames)];
            (int chosen, int chosenPointers) = _bank.Select(frame, reverse: false, settled: true, _slots, _times, _pointerSlots);
            (_slots, _times, _pointerSlots) = (_slots[..chosen], _times[..chosen], _pointerSlots[..chosenPointers]);
            Check = count == chosen && pointers == chosenPointers
                ? TensorCheck.Compare("in.tpos (bank selection)", Array.ConvertAll(_times, t => (long)t), times.Integers)
                : TensorCheck.Failed("bank selection",
                    $"{chosen} memories and {chosenPointers} pointers, expected {count} and {pointers}");
        }

        /// <summary>Room for the bank.</summary>
        public BankPools Pools { get; }

        /// <summary>The engine's choice of memories against the recorded one.</summary>
        public TensorCheck Check { get; }

        public int NextMemorySlot => _bank.Next().Memory;

        public void Write(GraphRun run, MemoryBankTensors bank, BankSelection selection)
        {
            int memorySize = bank.Memories.Shape.Last, width = bank.Pointers.Shape.Last;
            for (int i = 0; i < _slots.Length; i++)
                run.Write(bank.Memories, _memories.Floats.AsSpan(i * memorySize, memorySize), (long)_slots[i] * memorySize);
            for (int i = 0; i < _pointerSlots.Length; i++)
                run.Write(bank.Pointers, _pointers.Floats.AsSpan(i * width, width), (long)_pointerSlots[i] * width);
            run.Set(selection.MemoryCount, _slots.Length).Set(selection.PointerCount, _pointerSlots.Length)
                .Set(selection.MemoryIndex, _slots).Set(selection.TimeIndex, _times).Set(selection.PointerIndex, _pointerSlots)
                .Set(bank.MemorySlots, [NextMemorySlot]).Set(bank.PointerSlots, [_bank.Next().Pointer]);
        }
    }
}
