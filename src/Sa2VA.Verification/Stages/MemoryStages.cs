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
        var bank = new MemoryBankTensors(g, config, recorded.ConditioningFrames);
        var selection = new BankSelection(g, config, recorded.ConditioningFrames);
        Tensor pix = g.Output("pix",
            MemoryAttention.Record(g, f, bank.Gather(g, selection, w, config.ImageSize / 16), w.At("memory_attention"), config));
        using var run = new GraphRun(c, g.Build());
        recorded.Write(run, bank, selection);
        run.Write(f, c.In("f").Expect(f.Shape.ToArray()).Floats);
        foreach (RuntimeScalar slot in (RuntimeScalar[])[bank.MemorySlot, bank.PointerSlot]) run.Set(slot, 0);
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
        var graph = new TrackedFrameGraph(c.Weights, c.Prefix, config, prompts, recorded.ConditioningFrames);
        using var run = new GraphRun(c, graph.Graph);
        recorded.Write(run, graph.Bank, graph.Selection);
        FrameMaps.Write(c, run, graph.Frame, "f");
        run.Set(graph.Bank.MemorySlot, recorded.NextMemorySlot).Set(graph.Bank.PointerSlot, recorded.NextPointerSlot).Execute();
        return outputs.Add("low", run.Floats(graph.Outputs.Low), side, side).Add("ious", run.Floats(graph.Outputs.Ious, 1, 3), 3)
            .Add("selected_index", [(long)run.Floats(graph.Outputs.Selected)[0]], 1)
            .Add("object_logit", run.Floats(graph.Outputs.ObjectLogit), 1)
            .Add("ptr", run.Floats(graph.Outputs.Pointer), config.DModel).Add("mem", run.Floats(graph.Memory), tokens, config.MemDim);
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
            ConditioningFrames = c.Golden.Params.Int("cond_frames", 1, 64);
            if (frame < ConditioningFrames) throw c.Golden.Bad("tracks a frame that is conditioned");
            (_memories, _pointers) = (c.In("mem"), c.In("ptrs"));
            GoldenTensor times = c.In("tpos");
            int count = times.DimsOf(1)[0], pointers = _pointers.DimsOf(2)[0];
            _memories.Expect(count, grid * grid, config.MemDim);
            _pointers.Expect(pointers, config.DModel);

            _bank = new MemoryBank(ConditioningFrames);
            for (int i = 0; i < frame; i++) _bank.Advance(tracked: i >= ConditioningFrames);
            (_slots, _times) = (new int[_bank.Memories], new int[_bank.Memories]);
            _pointerSlots = new int[_bank.Pointers];
            _bank.Select(_slots, _times, _pointerSlots);
            Check = count == _bank.Memories && pointers == _bank.Pointers
                ? TensorCheck.Compare("in.tpos (bank selection)", Array.ConvertAll(_times, t => (long)t), times.Integers)
                : TensorCheck.Failed("bank selection",
                    $"{_bank.Memories} memories and {_bank.Pointers} pointers, expected {count} and {pointers}");
        }

        /// <summary>Capacity of the bank.</summary>
        public int ConditioningFrames { get; }

        /// <summary>The engine's choice of memories against the recorded one.</summary>
        public TensorCheck Check { get; }

        public int NextMemorySlot => _bank.NextMemorySlot(tracked: true);

        public int NextPointerSlot => _bank.NextPointerSlot(tracked: true);

        public void Write(GraphRun run, MemoryBankTensors bank, BankSelection selection)
        {
            int memorySize = bank.Memories.Shape.Last, width = bank.Pointers.Shape.Last;
            for (int i = 0; i < _slots.Length; i++)
                run.WriteBFloat16(bank.Memories, _memories.Floats.AsSpan(i * memorySize, memorySize), (long)_slots[i] * memorySize);
            for (int i = 0; i < _pointerSlots.Length; i++)
                run.Write(bank.Pointers, _pointers.Floats.AsSpan(i * width, width), (long)_pointerSlots[i] * width);
            run.Write(selection.MemoryIndex, _slots).Write(selection.TimeIndex, _times).Write(selection.PointerIndex, _pointerSlots);
            selection.Set(run.Bound, _slots.Length, _pointerSlots.Length);
        }
    }
}
