using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// Sessions of the Qwen-VL kinds: a [SEG] that the user types, follow-ups behind a picture's positions, what they refuse.
/// </summary>
public sealed class QwenVlSessionTests(QwenVlSessionTests.LoadedModels models) : IClassFixture<QwenVlSessionTests.LoadedModels>
{
    public static TheoryData<string> Kinds => ["qwen2_5-vl", "qwen3-vl"];

    [Theory, MemberData(nameof(Kinds))]
    public void A_typed_seg_is_read_anew_although_its_prompt_is_known(string kind)
    {
        Sa2VAModel model = models.Load(kind);
        using ImageSession first = model.OpenImage(Shapes.Image("qwen-a.png")), second = model.OpenImage(Shapes.Image("qwen-a.png"));
        const string Question = "Where is [SEG] in the picture?";
        Answer answer = first.Ask(Question);
        long tokens = first.PrefilledTokens;
        Assert.NotEmpty(answer.Objects);
        Assert.Null(answer.Objects[0].Phrase);
        int picture = answer.PromptIds.Count(id => id == model.Prompt.ContextId);
        // What stands before the [SEG] is there; it and what follows is computed.
        foreach (ImageSession session in (ImageSession[])[first, second])
        {
            Assert.Equal(Shapes.Fingerprint(answer), Shapes.Fingerprint(session.Ask(Question)));
            long again = session == first ? first.PrefilledTokens - tokens : second.PrefilledTokens;
            Assert.InRange(again, 2, answer.PromptIds.Count - picture);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_follow_up_is_what_its_whole_prompt_would_be_and_has_the_new_texts_objects_alone(string kind)
    {
        using ImageSession session = models.Load(kind).OpenImage(Shapes.Image("qwen-b.png"));
        Answer before = session.Ask("Please segment the red circle.");
        Answer after = session.Ask("And what of [SEG]?", new AskOptions { FollowUp = true, MaxNewTokens = 12 });
        int said = after.TokenIds.SkipLast(1).Count(id => id == session.Model.SegId);
        Assert.Equal(1 + said, after.Objects.Count);
        Assert.Equal(before.Objects.Count, after.Objects[0].Id);

        // Another model has none of its pages: the prompt is computed in one, pictures and all.
        using Sa2VAModel other = models.LoadAnew(kind);
        using ImageSession whole = other.OpenImage(Shapes.Image("qwen-b.png"));
        Answer spelled = whole.AskSpelled(other.Tokenizer.Decode([.. after.PromptIds]), new AskOptions { MaxNewTokens = 12 });
        Assert.Equal(after.PromptIds, spelled.PromptIds);
        Assert.Equal(after.TokenIds, spelled.TokenIds);
        // There everything is new text, what the first answer said as well.
        Assert.Equal(before.Objects.Count + after.Objects.Count, spelled.Objects.Count);
        Assert.Equal(after.Objects[0].Embedding.ToArray(), spelled.Objects[before.Objects.Count].Embedding.ToArray());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Plain_text_names_no_object_and_the_picture_stands_in_front(string kind)
    {
        Sa2VAModel model = models.Load(kind);
        using ImageSession session = model.OpenImage(Shapes.Image("qwen-a.png"));
        var plain = new AskOptions { SpecialTokens = SpecialTokenText.PlainText, MaxNewTokens = 4 };
        Answer answer = session.Ask("What is [SEG]<image>?", plain);
        Assert.DoesNotContain(model.SegId, answer.PromptIds);
        string prompt = model.Tokenizer.Decode([.. answer.PromptIds]);
        Assert.Contains("<|vision_end|>What is [SEG]?<|im_end|>", prompt, StringComparison.Ordinal);
        Assert.Equal(kind == "qwen2_5-vl", prompt.StartsWith("<|im_start|>system\n", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_these_models_cannot_see_is_refused(string kind)
    {
        Sa2VAModel model = models.Load(kind);
        RgbImage image = Shapes.Image("qwen-a.png");
        using ImageSession session = model.OpenImage(image);
        var region = new Mask(image.Width, image.Height, [.. Enumerable.Repeat((byte)1, image.Width * image.Height)]);
        string message = Assert.Throws<PromptException>(() =>
            session.Ask("What is region1?", new AskOptions { Regions = [region] })).Message;
        Assert.Contains("know no regions", message, StringComparison.Ordinal);
        message = Assert.Throws<MediaException>(() => model.OpenImage(Shapes.Pattern(2020, 10))).Message;
        Assert.Contains("200 times", message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void One_resize_shows_a_picture_otherwise(string kind)
    {
        using Sa2VAModel once = models.LoadAnew(kind, new ModelOptions { ResizeOnce = true });
        RgbImage image = Shapes.Pattern(640, 427);
        using ImageSession two = models.Load(kind).OpenImage(image), one = once.OpenImage(image);
        var brief = new AskOptions { MaxNewTokens = 1 };
        int Tokens(ImageSession session) => session.Ask("Hi", brief).PromptIds.Count(id => id == once.Prompt.ContextId);
        Assert.Equal(kind == "qwen2_5-vl" ? (551, 532) : (400, 425), (Tokens(two), Tokens(one)));
    }

    /// <summary>Loaded when first asked for.</summary>
    public sealed class LoadedModels : IDisposable
    {
        private readonly Dictionary<string, Sa2VAModel> _models = [];

        public Sa2VAModel Load(string kind)
        {
            if (!_models.TryGetValue(kind, out Sa2VAModel? model)) _models.Add(kind, model = LoadAnew(kind));
            return model;
        }

        public Sa2VAModel LoadAnew(string kind, ModelOptions? options = null)
        {
            Assert.SkipUnless(Fixtures.Exists("models", kind, "model.safetensors"), "Not among the fixtures that every clone carries.");
            return Sa2VAModel.Load(Fixtures.Model(kind), new CpuDevice(), options);
        }

        public void Dispose()
        {
            foreach (Sa2VAModel model in _models.Values) model.Dispose();
        }
    }
}
