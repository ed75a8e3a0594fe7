using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Tests.Sessions;

/// <summary>A second turn in every template: an answer that was cut off is closed, one that ended by itself is not closed twice.</summary>
public sealed class ChatTemplateTests
{
    [Theory]
    [InlineData("qwen_chat", "<|im_end|>", "\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")]
    [InlineData("internlm2_chat", "<|im_end|>", "\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")]
    [InlineData("phi3_chat", "<|end|>", "\n<|user|>\nHi<|end|>\n<|assistant|>\n")]
    [InlineData("vicuna", "", "\nUSER: Hi ASSISTANT:")]
    public void A_follow_up_closes_what_was_cut_off(string name, string close, string turn)
    {
        Tokenizer tokenizer = Shapes.Model.Tokenizer;
        Sa2VAConfig config = Shapes.Model.Config with { Template = name };
        var prompt = new Prompt(tokenizer, config.Family.Template(config), config);
        var none = new PromptMedia([], IsVideo: false, []);
        foreach (SpecialTokenText specials in Enum.GetValues<SpecialTokenText>())
        {
            Assert.Equal(turn, tokenizer.Decode(prompt.Continue([], ended: true, "Hi", none, specials)));
            Assert.Equal(close + turn, tokenizer.Decode(prompt.Continue([], ended: false, "Hi", none, specials)));
        }
    }
}
