using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>How an answer compares with the recorded one.</summary>
/// <param name="Case">The case.</param>
/// <param name="TextEqual">True if the spelling is equal.</param>
/// <param name="IdsEqual">True if prompt and answer tokens are equal.</param>
/// <param name="Ious">Per [SEG] and frame, the IoU with the recorded mask.</param>
/// <param name="SegError">Largest error of a [SEG] vector, relative to its largest element.</param>
/// <param name="Mismatch">What differs first, for people; null when all is well.</param>
/// <param name="Bound">What masks are held to.</param>
public sealed record PredictResult(PredictCase Case, bool TextEqual, bool IdsEqual, IReadOnlyList<IReadOnlyList<double>> Ious,
    double SegError, string? Mismatch, MaskBound Bound)
{
    /// <summary>A step of bf16 between 8 and 16, where the largest logits are: nearer ones need not keep their order.</summary>
    private const double LogitStep = 1.0 / 16;

    /// <summary>Lowest IoU of all masks; 1 without masks.</summary>
    public double LowestIou => Ious.SelectMany(f => f).DefaultIfEmpty(1).Min();

    /// <summary>Lowest median over an object's frames; 1 without masks.</summary>
    public double LowestMedian => Ious.Select(Median).DefaultIfEmpty(1).Min();

    /// <summary>True if text and tokens are equal and the masks keep to their bound.</summary>
    public bool Passed => Mismatch is null && TextEqual && IdsEqual && LowestIou >= Bound.Lowest && LowestMedian >= Bound.Median;

    /// <summary>
    /// True if the answer took another token where the two best recorded ones are no step of bf16 apart: what follows cannot be compared.
    /// </summary>
    public bool IsTie => Bound.Precision.IsNarrow() && PromptEqual && !IdsEqual && Case.MinMargin <= LogitStep;

    /// <summary>
    /// In bf16: lowest IoU of the reference implementation's own with its float32 on videos of this checkpoint, to judge
    /// <see cref="LowestIou"/> by; null where it is not recorded.
    /// </summary>
    public double? ReferenceIou { get; init; }

    /// <summary>Where the lowest IoU is; null without masks, or where all are equal.</summary>
    public MaskDifference? Worst { get; init; }

    /// <summary>True if the prompt's tokens are equal.</summary>
    public bool PromptEqual { get; init; }

    /// <summary>Runs a case on a model.</summary>
    /// <exception cref="CheckpointException">In bf16: what is recorded of the reference implementation's own is broken.</exception>
    public static PredictResult Run(PredictCase predict, Sa2VAModel model, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(predict);
        ArgumentNullException.ThrowIfNull(model);
        var options = new AskOptions { MaxNewTokens = predict.MaxNewTokens, Regions = Regions(predict) };
        if (predict.Image is { } image)
        {
            using ImageSession session = model.OpenImage(ImageFile.Load(Resolve(predict, image)));
            Answer answer = Ask(session, predict, options, cancellation);
            return Compare(predict, model, answer, [.. answer.Objects.Select(o => (IReadOnlyList<Mask>)[o.Mask!.ToMask()])]);
        }
        if (predict.Video is { } video)
        {
            RgbImage[] shown = [.. FrameSelection.First.Indices(video.Count)
                .Select(i => ImageFile.Load(Resolve(predict, video[i])))];
            using VideoSession session = model.OpenVideo(shown);
            Answer answer = Ask(session, predict, options, cancellation);
            List<Mask>[] masks = [.. answer.Objects.Select(_ => new List<Mask>())];
            for (int f = 0; f < video.Count && masks.Length > 0; f++)
            {
                FrameMasks frame = session.Next(f < shown.Length ? shown[f] : ImageFile.Load(Resolve(predict, video[f])),
                    cancellation);
                for (int i = 0; i < masks.Length; i++) masks[i].Add(frame.Objects[i].ToMask());
            }
            return Compare(predict, model, answer, masks);
        }
        using TextSession text = model.OpenText();
        return Compare(predict, model, Ask(text, predict, options, cancellation), []);
    }

    private static Answer Ask(ChatSession session, PredictCase predict, AskOptions options, CancellationToken cancellation)
    {
        if (predict.PastText.Length == 0) return session.Ask(predict.Prompt, options, cancellation);
        Sa2VAConfig config = session.Model.Config;
        string spelled = config.Family.Spell(config.Family.Template(config), predict.PastText, predict.Prompt);
        return session.AskSpelled(spelled, options, cancellation);
    }

    private static PredictResult Compare(
        PredictCase predict, Sa2VAModel model, Answer answer, IReadOnlyList<IReadOnlyList<Mask>> masks)
    {
        bool text = answer.Raw == predict.Prediction;
        bool prompt = answer.PromptIds.SequenceEqual(predict.PromptIds), ids = answer.TokenIds.SequenceEqual(predict.OutputIds);
        string? mismatch = !prompt ? $"prompt ids differ ({answer.PromptIds.Count} given, {predict.PromptIds.Count} recorded)"
            : !ids ? $"answer ids differ: '{answer.Raw}'"
            : !text ? $"answer is spelled '{answer.Raw}', recorded '{predict.Prediction}'"
            : masks.Count != predict.Masks.Count ? $"{masks.Count} objects, {predict.Masks.Count} recorded"
            : null;
        var ious = new List<IReadOnlyList<double>>();
        for (int i = 0; i < Math.Min(masks.Count, predict.Masks.Count); i++)
        {
            if (masks[i].Count != predict.Masks[i].Count)
                mismatch ??= $"object {i} has {masks[i].Count} frames, {predict.Masks[i].Count} recorded";
            ious.Add([.. masks[i].Zip(predict.Masks[i], SegmentationMetrics.Jaccard)]);
        }
        double error = 0;
        for (int i = 0; i < Math.Min(answer.Objects.Count, predict.SegEmbeddings.Count); i++)
        {
            float[] recorded = predict.SegEmbeddings[i];
            float largest = recorded.Max(Math.Abs);
            for (int k = 0; k < recorded.Length; k++)
                error = Math.Max(error, Math.Abs(answer.Objects[i].Embedding.Span[k] - recorded[k]) / largest);
        }
        return new PredictResult(predict, text, prompt && ids, ious, error, mismatch, MaskBound.Of(model.Precision))
        {
            PromptEqual = prompt, Worst = FindWorst(predict, masks, ious),
            ReferenceIou = model.Precision == Precision.Float32 ? null : RecordedErrors.Near(predict.Path).LowestIou(predict.Model),
        };
    }

    private static MaskDifference? FindWorst(
        PredictCase predict, IReadOnlyList<IReadOnlyList<Mask>> masks, List<IReadOnlyList<double>> ious)
    {
        (double iou, int index, int frame) = ious.SelectMany((o, i) => o.Select((iou, f) => (iou, i, f))).DefaultIfEmpty((1, 0, 0)).Min();
        if (iou == 1) return null;
        Mask ours = masks[index][frame], recorded = predict.Masks[index][frame];
        long differing = 0;
        for (int i = 0; i < Math.Min(ours.Pixels.Length, recorded.Pixels.Length); i++)
            if (ours.Pixels[i] != recorded.Pixels[i]) differing++;
        return new MaskDifference(index, frame, recorded.Area, differing);
    }

    private static Mask[] Regions(PredictCase predict)
    {
        if (predict.Regions is null) return [];
        (int width, int height, byte[] labels) = ImageFile.LoadLabels(Resolve(predict, predict.Regions));
        return RegionMasks.FromLabels(labels, width, height);
    }

    private static string Resolve(PredictCase predict, string path) => Path.Combine([predict.Root, .. path.Split('/')]);

    private static double Median(IReadOnlyList<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0) return 1;
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
    }
}

/// <summary>A mask that differs from the recorded one.</summary>
/// <param name="Object">Which [SEG].</param>
/// <param name="Frame">Frame.</param>
/// <param name="Pixels">Pixels of the recorded mask.</param>
/// <param name="Differing">Pixels that are inside one of the two alone.</param>
public sealed record MaskDifference(int Object, int Frame, long Pixels, long Differing);
