namespace Sa2VA.Engine;

/// <summary>Choices for <see cref="Sa2VAModel.Load"/>.</summary>
public sealed record ModelOptions
{
    /// <summary>
    /// Most bytes of the device's memory (weights, intermediates, sessions); 0 means what a GPU has free when the model is loaded, and no
    /// limit on a processor.
    /// </summary>
    public long MemoryBudget { get; init; }

    /// <summary>
    /// Most tokens that all conversations of the model may hold together; 0 means eight times what one conversation may have, or 262144 if
    /// that is less, and always enough for one. Addresses are set aside for them, memory is taken as tokens come.
    /// </summary>
    public int MaxTokens { get; init; }

    /// <summary>
    /// True to bring pictures to the size that the language model sees in one resize. False, the default, as upstream does: the Qwen-VL
    /// kinds resize twice (docs/model/qwen-vl.md#two-resizes). Other kinds have one resize in any case.
    /// </summary>
    public bool ResizeOnce { get; init; }

    /// <summary>
    /// Original SAM 2 weights (sam2_hiera_large, Meta's names) whose mask decoder tracks, as Sa2VA-i does: a safetensors file, or a folder
    /// with one. Words are still answered by the checkpoint's own decoder, which was fine-tuned for them; clicks and boxes too. Null, the
    /// default, for the checkpoint's own (docs/model/checkpoint.md#tracker-weights).
    /// </summary>
    public string? TrackerWeights { get; init; }
}

/// <summary>How far loading has come.</summary>
/// <param name="Stage">What is being prepared.</param>
/// <param name="Bytes">Bytes of weights read so far.</param>
/// <param name="TotalBytes">Bytes of weights in all.</param>
public readonly record struct LoadProgress(string Stage, long Bytes, long TotalBytes);
