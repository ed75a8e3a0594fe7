using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>One block of the Hiera trunk.</summary>
/// <param name="InDim">Channels it reads.</param>
/// <param name="OutDim">Channels it writes; twice <paramref name="InDim"/> where a stage begins.</param>
/// <param name="Heads">Attention heads.</param>
/// <param name="Window">Window side in tokens of the incoming grid; 0 attends to the whole grid.</param>
/// <param name="Pool">True where a stage begins: queries and shortcut are max-pooled 2×2.</param>
internal readonly record struct HieraBlock(int InDim, int OutDim, int Heads, int Window, bool Pool);

/// <summary>The trunk's blocks as the configuration lays them out (docs/model/image-encoder.md#blocks).</summary>
internal sealed class HieraLayout
{
    public HieraLayout(GroundingConfig config)
    {
        var blocks = new List<HieraBlock>();
        var ends = new List<int>();
        int dim = config.EmbedDim, heads = config.NumHeads;
        for (int stage = 0; stage < config.Stages.Count; stage++)
        {
            for (int i = 0; i < config.Stages[stage]; i++)
            {
                bool first = stage > 0 && i == 0;
                int index = blocks.Count, outDim = first ? 2 * dim : dim;
                if (first) heads *= 2;
                bool global = config.GlobalAttBlocks.Contains(index);
                if (global && first)
                    throw new CheckpointException(
                        $"grounding_config.global_att_blocks lists block {index}, which begins stage {stage + 1}: a block that "
                            + "pools its queries cannot attend globally.");

                // A block that begins a stage still sees the windows of the stage before.
                int window = global ? 0 : config.WindowSpec[first ? stage - 1 : stage];
                blocks.Add(new HieraBlock(dim, outDim, heads, window, first));
                dim = outDim;
            }
            ends.Add(blocks.Count - 1);
        }
        (Blocks, StageEnds) = (blocks, ends);
    }

    /// <summary>Blocks in order.</summary>
    public IReadOnlyList<HieraBlock> Blocks { get; }

    /// <summary>Last block of every stage: their outputs feed the neck.</summary>
    public IReadOnlyList<int> StageEnds { get; }
}
