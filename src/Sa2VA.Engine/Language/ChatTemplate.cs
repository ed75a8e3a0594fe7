using Sa2VA.Core;

namespace Sa2VA.Engine.Language;

/// <summary>
/// How a turn is written (docs/model/prompt.md#chat-templates): no system prompt, the user's text between markers, the words that end an
/// answer.
/// </summary>
internal sealed record ChatTemplate(string BeforeText, string AfterText, string Suffix, string Separator, string[] StopWords)
{
    /// <summary>The template of a name in config.json.</summary>
    /// <exception cref="CheckpointException">No such template.</exception>
    public static ChatTemplate Get(string name) => name switch
    {
        "qwen_chat" =>
            new("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", "\n", ["<|im_end|>", "<|endoftext|>"]),
        "internlm2_chat" => new("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", "\n", ["<|im_end|>"]),
        "phi3_chat" => new("<|user|>\n", "<|end|>\n<|assistant|>\n", "<|end|>", "\n", ["<|end|>"]),
        "vicuna" => new("USER: ", " ASSISTANT:", "", "\n", []),
        _ => throw new CheckpointException(
            $"config.json names the chat template '{name}'; qwen_chat, internlm2_chat, phi3_chat and vicuna are known."),
    };
}
