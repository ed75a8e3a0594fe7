namespace Sa2VA.Engine.Tracking;

/// <summary>What a prompted frame's graph depends on.</summary>
/// <param name="Multimask">True to choose among candidates 1…3.</param>
/// <param name="Dense">True when a mask is part of the prompt.</param>
/// <param name="Memory">True if the frame's tokens know of the object's past.</param>
internal readonly record struct PromptKind(bool Multimask, bool Dense, bool Memory)
{
    /// <summary>Of a [SEG] vector on a frame without a past.</summary>
    public static PromptKind Language => new(Multimask: true, Dense: false, Memory: false);
}
