using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>
/// Depths, widths and heads of every released model, as its configuration has them, with few rows and columns of each: with the tiles of
/// <see cref="LaunchCases"/> that is each class of shapes.
/// </summary>
internal static class ReleasedLaunchCases
{
    // Two blocks of the widest tile.
    private const int Columns = 256;

    private static readonly Sa2VAConfig[] Models = [.. SyntheticPresets.Names.Select(SyntheticPresets.Get)];

    private static readonly GroundingConfig Grounding = new();

    // Hiera's four stages.
    private static readonly int[] Trunk = [.. Enumerable.Range(0, 4).Select(stage => Grounding.EmbedDim << stage)];

    /// <summary>Each once, whichever models have it.</summary>
    public static IReadOnlyList<LaunchCase> All { get; } =
        [.. ((IEnumerable<LaunchCase>)[.. Products, .. Norms, .. Heads, .. Maps]).DistinctBy(c => c.What)];

    private static IEnumerable<LaunchCase> Products =>
    [
        .. from depth in (IEnumerable<int>)[.. Models.SelectMany(m => (int[])[m.Language.HiddenSize, m.Language.IntermediateSize,
               m.Vision.HiddenSize, m.Vision.IntermediateSize]), .. Trunk.SelectMany(w => (int[])[w, 4 * w]), Grounding.DModel,
               Grounding.MemDim, Grounding.MemoryAttentionFfn]
           from c in (LaunchCase[])[LaunchCases.Linear(1, depth, Columns), LaunchCases.Linear(256, depth, Columns),
               LaunchCases.Linear(8, depth, 64).Plain]
           select c,
        .. from width in Models.Select(m => m.Language.HiddenSize)
           from c in (LaunchCase[])[LaunchCases.Gated(1, width, Columns), LaunchCases.Gated(256, width, Columns),
               LaunchCases.Head(1, isWide: false, width), LaunchCases.Gated(8, width, 64).Plain]
           select c,
        .. from width in Models.Select(m => m.Language.HiddenSize)
           from precision in (Precision[])[Precision.Int8, Precision.Int4]
           select LaunchCases.InBits(LaunchCases.Linear(1, width, Columns), precision, 4),
    ];

    private static IEnumerable<LaunchCase> Norms =>
        from norm in (IEnumerable<(int Width, bool IsRms)>)[
            .. Models.Select(m => (m.Language.HiddenSize, true)), .. Models.Select(m => (m.Vision.HiddenSize, m.Vision is QwenVisionConfig
                { Kind: QwenVlKind.Qwen25 } or InternVitConfig { RmsNorm: true })), .. Trunk.Select(w => (w, false))]
        from c in (LaunchCase[])[LaunchCases.Norm(norm.Width, norm.IsRms), LaunchCases.Norm(norm.Width, norm.IsRms).Plain]
        select c;

    private static IEnumerable<LaunchCase> Heads =>
    [
        .. from m in Models.Select(m => m.Language)
           from c in (LaunchCase[])[LaunchCases.Decode(m.HeadDim, m.Heads, m.KvHeads),
               LaunchCases.Decode(m.HeadDim, m.Heads, m.KvHeads).Plain, LaunchCases.Flash(128, 192, m.Heads, m.HeadDim)]
           select c,
        .. from m in Models.Select(m => m.Vision)
           from c in (LaunchCase[])[LaunchCases.Flash(128, 192, m.Heads, m.HiddenSize / m.Heads),
               LaunchCases.Flash(64, 64, m.Heads, m.HiddenSize / m.Heads).Plain]
           select c,
        // Seven frames' memories, sixteen pointers of four tokens.
        LaunchCases.Flash(128, 7 * 4096 + 16 * 4, 1, Grounding.DModel, Grounding.MemDim),
    ];

    private static IEnumerable<LaunchCase> Maps =>
    [
        Patches("patches of the trunk", 256, Grounding.EmbedDim, 7, 4, 3),
        .. from m in Models.Select(m => m.Vision).OfType<InternVitConfig>()
           select Patches($"patches of {m.HiddenSize}", m.TileSize / 4, m.HiddenSize, m.PatchSize, m.PatchSize, 0),
    ];

    private static LaunchCase Patches(string what, int side, int channels, int filter, int stride, int padding) => new(what, z =>
        z.G.Conv2d(z.G.Normalize(z.Bytes(side, side, 3), z.Levels), z.G.At("conv"), channels, filter, stride, padding));
}
