using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using Sa2VA.Verification;

namespace Sa2VA.Tests.Sessions;

/// <summary>The bundled trained checkpoint, its media and its recorded answers.</summary>
internal static class Shapes
{
    private static readonly Lazy<Sa2VAModel> Shared = new(() => Load());
    private static readonly Lazy<RgbImage[]> Frames = new(() =>
        [.. Enumerable.Range(0, 48).Select(i => ImageFile.Load(Fixtures.Path("media", "shapes", $"{i:000}.png")))]);

    /// <summary>One for all tests that do not look at its memory; never disposed.</summary>
    public static Sa2VAModel Model => Shared.Value;

    /// <summary>The clip: 48 frames with a red circle, a blue star, a yellow triangle and a green ring.</summary>
    public static RgbImage[] Clip => Frames.Value;

    public static string Folder => Fixtures.Model("sa2va-tiny-shapes");

    public static Sa2VAModel Load(Device? device = null, ModelOptions? options = null, IProgress<LoadProgress>? progress = null,
        CancellationToken cancellation = default) => Sa2VAModel.Load(Folder, device ?? new CpuDevice(), options, progress, cancellation);

    /// <summary>Memory that stays in a model's pools for the next objects and pictures.</summary>
    public static long PooledBytes(Sa2VAModel model) => model.Segmentation.Banks.Memories.Bytes + model.Segmentation.Banks.Pointers.Bytes
        + model.LanguageModel.ImageRows.Sum(rows => rows.Bytes);

    /// <summary>What a model holds when nothing is on its way any more.</summary>
    public static BackendMemory Held(Sa2VAModel model)
    {
        SpinWait.SpinUntil(() => model.LanguageModel.Scheduler.IsIdle);
        // What a prompt or frame that was given up needs is held until the tracker is past it.
        model.Segmentation.Queue.Mark().Wait();
        model.Segmentation.EncoderQueue.Mark().Wait();
        return model.MemoryInfo;
    }

    public static RgbImage Image(string name) => ImageFile.Load(Fixtures.Path("media", name));

    public static string[] CaseNames { get; } =
        [.. Directory.GetFiles(Fixtures.Path("predict", "sa2va-tiny-shapes"), "*.json").Select(f => Path.GetFileNameWithoutExtension(f))
            .Order(StringComparer.Ordinal)];

    public static PredictCase Case(string name) => PredictCase.Read(Fixtures.Path("predict", "sa2va-tiny-shapes", name + ".json"));

    /// <summary>A picture that differs from place to place.</summary>
    public static RgbImage Pattern(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)(i * 7 + i / 97 * 13);
        return new RgbImage(width, height, pixels);
    }

    /// <summary>Everything of an answer that could differ, exactly.</summary>
    public static string Fingerprint(Answer answer)
    {
        var parts = new List<string> { answer.Raw, string.Join(",", answer.PromptIds), string.Join(",", answer.TokenIds),
            $"{answer.Truncated}" };
        foreach (AnswerObject o in answer.Objects)
        {
            parts.Add($"{o.Phrase} {Hash<float>(o.Embedding.Span)}");
            if (o.Mask is { } m) parts.Add(Fingerprint(m));
        }
        return string.Join("\n", parts);
    }

    public static string Fingerprint(ObjectMask m) =>
        FormattableString.Invariant($"{m.Width}x{m.Height} {m.Area} {m.Score:R} {m.Present:R} {Hash(m.Pixels)} {Hash(m.Logits)}");

    public static string Hash<T>(ReadOnlySpan<T> values) where T : unmanaged =>
        Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values)));
}
