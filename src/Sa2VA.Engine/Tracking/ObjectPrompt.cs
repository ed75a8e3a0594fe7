using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What names an object on its conditioning frames: a [SEG] vector, points, a box (two points), an earlier mask's logits, or several of
/// these.
/// </summary>
internal sealed class ObjectPrompt
{
    private const float LogitLimit = 32;

    /// <summary>Encodes a prompt.</summary>
    /// <param name="model">Model.</param>
    /// <param name="seg">Language vector [D], or empty.</param>
    /// <param name="points">Points in pixels of the S×S input, box corners first; may be empty.</param>
    /// <param name="maskLogits">Low-resolution logits [4G, 4G] of an earlier prediction, or empty.</param>
    /// <exception cref="PromptException">Sizes do not fit, values are not finite, or nothing is given.</exception>
    public ObjectPrompt(SegmentationModel model, ReadOnlySpan<float> seg, ReadOnlySpan<PointPrompt> points = default,
        ReadOnlySpan<float> maskLogits = default)
    {
        int width = model.Config.DModel;
        if (seg.IsEmpty && points.IsEmpty && maskLogits.IsEmpty)
            throw new PromptException("An object needs a language vector, a point, a box or a mask.");
        if (!seg.IsEmpty && seg.Length != width) throw new PromptException($"A language vector has {width} elements, not {seg.Length}.");
        if (!maskLogits.IsEmpty && maskLogits.Length != model.LowSide * model.LowSide)
            throw new PromptException($"A mask prompt has {model.LowSide}×{model.LowSide} logits, not {maskLogits.Length}.");
        foreach (float v in seg)
            if (!float.IsFinite(v)) throw new PromptException("A language vector's elements must be finite.");

        SparseRows = PromptEncoder.SparseRows(points.Length, !seg.IsEmpty);
        if (SparseRows > FramePrompt.MaxSparse)
            throw new PromptException($"A prompt has at most {FramePrompt.MaxSparse - (seg.IsEmpty ? 1 : 2)} points, not {points.Length}.");
        Sparse = new float[SparseRows * width];
        model.Prompts.EncodeSparse(points, seg, Sparse);
        Multimask = points.Length <= 1;
        if (maskLogits.IsEmpty) return;

        MaskLogits = new float[maskLogits.Length];
        for (int i = 0; i < MaskLogits.Length; i++) MaskLogits[i] = Math.Clamp(maskLogits[i], -LogitLimit, LogitLimit);
    }

    /// <summary>A prompt that is a [SEG] vector alone, which stays on the device.</summary>
    /// <param name="model">Model.</param>
    /// <param name="seg">Language vector [1, D]; needed until the prompt has been given to an object.</param>
    /// <param name="written">When it is there: another queue writes it.</param>
    public ObjectPrompt(SegmentationModel model, DeviceBuffer seg, Fence written)
    {
        SparseRows = PromptEncoder.SparseRows(0, language: true);
        // The vector is the last row.
        var sparse = new float[SparseRows * model.Config.DModel];
        model.Prompts.EncodeSparse([], new float[model.Config.DModel], sparse);
        Sparse = sparse[..^model.Config.DModel];
        (Seg, SegWritten, Multimask) = (seg, written, true);
    }

    /// <summary>Sparse rows [n, D], or [n − 1, D] when the last one is <see cref="Seg"/>.</summary>
    public float[] Sparse { get; }

    /// <summary>Language vector on the device, or null.</summary>
    public DeviceBuffer? Seg { get; }

    /// <summary>When <see cref="Seg"/> is there.</summary>
    public Fence SegWritten { get; }

    /// <summary>n.</summary>
    public int SparseRows { get; }

    /// <summary>One point or none is ambiguous: choose among three masks. More points mean one mask.</summary>
    public bool Multimask { get; }

    /// <summary>Logits [4G, 4G] within ±32, or null.</summary>
    public float[]? MaskLogits { get; }

    /// <summary>Which graph looks for it.</summary>
    /// <param name="memory">True if the frame's tokens know of the object's past.</param>
    public PromptKind Kind(bool memory) => new(Multimask, MaskLogits is not null, memory);
}
