namespace Sa2VA.Cli.Evaluation;

/// <summary>What the evaluation code of the reference asks, to the letter (docs/eval.md#prompts).</summary>
internal static class EvalPrompts
{
    /// <summary>Grounded captions. The five blanks are a line break of the reference's source that is really sent.</summary>
    public const string GroundedCaption = "<image>\nCould you please give me a brief description of the image? "
        + "Please respond with interleaved     segmentation masks for the corresponding parts of the answer.";

    /// <summary>Referring expressions on images.</summary>
    public static string Image(string expression) => $"<image>\n Please segment {expression} in this image.";

    /// <summary>Referring expressions on videos; a question is asked as one.</summary>
    public static string Video(string expression) => expression.Contains('?')
        ? $"<image>\n {expression} Please respond with a segmentation mask."
        : $"<image>\nPlease segment {expression}.";
}
