using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// What is not finite never leaves a network as an answer, a mask or a number: it is one error that names the first stage that went wrong.
/// The weights here are finite, so that loading does not refuse them, and so large that what is computed with them is not.
/// </summary>
public sealed class NonFiniteTests
{
    private const string Question = "Please segment the red circle.";
    private const string Sam = "grounding_encoder.sam2_model.", Decoder = Sam + "sam_mask_decoder.";

    [Theory]
    [InlineData("language_model.model.layers.1.mlp.down_proj.weight", "The language model, reading the prompt,")]
    // Squares overflow in the norm; 1/√∞ would be zeros.
    [InlineData("language_model.model.embed_tokens.weight", "The language model, reading the prompt,")]
    [InlineData("language_model.model.layers.0.self_attn.v_proj.weight", "The language model, reading the prompt,")]
    [InlineData("language_model.lm_head.weight", "The language model, reading the prompt,")]
    [InlineData("vision_model.embeddings.patch_embedding.weight", "The vision tower or its projector")]
    [InlineData("vision_model.encoder.layers.0.mlp.fc1.weight", "The vision tower or its projector")]
    [InlineData("mlp1.1.weight", "The vision tower or its projector")]
    [InlineData("mlp1.3.weight", "The vision tower or its projector")]
    [InlineData("text_hidden_fcs.0.weight", "The [SEG] projector")]
    [InlineData("text_hidden_fcs.2.weight", "The [SEG] projector")]
    [InlineData(Sam + "image_encoder.trunk.patch_embed.proj.weight", "The image encoder")]
    [InlineData(Sam + "image_encoder.trunk.blocks.1.attn.proj.weight", "The image encoder")]
    [InlineData(Sam + "image_encoder.neck.convs.0.conv.weight", "The image encoder")]
    [InlineData(Decoder + "conv_s0.weight", "The image encoder")]
    [InlineData(Decoder + "transformer.layers.0.mlp.layers.0.weight", "The mask decoder")]
    [InlineData(Decoder + "transformer.norm_final_attn.weight", "The mask decoder")]
    [InlineData(Decoder + "output_upscaling.3.weight", "The mask decoder")]
    // Infinity would be 1 behind the sigmoid.
    [InlineData(Decoder + "iou_prediction_head.layers.2.weight", "The mask decoder")]
    [InlineData(Decoder + "pred_obj_score_head.layers.2.weight", "The mask decoder")]
    [InlineData(Sam + "obj_ptr_proj.layers.1.weight", "The mask decoder")]
    public void An_image_question_names_the_stage(string tensor, string stage)
    {
        using SpoiltModel spoilt = SpoiltModel.Overflowing(tensor);
        using Sa2VAModel model = Sa2VAModel.Load(spoilt.Folder, new CpuDevice());
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        for (int i = 0; i < 2; i++)
        {
            string message = Assert.Throws<NonFiniteException>(() => session.Ask(Question)).Message;
            Assert.StartsWith(stage + " gave NaN or infinity", message, StringComparison.Ordinal);
            // Nothing was answered that could be followed up.
            Assert.Throws<PromptException>(() => session.Ask("And?", new AskOptions { FollowUp = true }));
        }
    }

    [Theory]
    [InlineData(Sam + "memory_encoder.out_proj.weight", 2, "The memory encoder, on an earlier frame,")]
    [InlineData(Sam + "memory_encoder.pix_feat_proj.weight", 2, "The memory encoder, on an earlier frame,")]
    [InlineData(Sam + "memory_encoder.mask_downsampler.encoder.0.weight", 2, "The memory encoder, on an earlier frame,")]
    [InlineData(Sam + "memory_attention.layers.0.linear1.weight", 2, "Memory attention or the mask decoder")]
    [InlineData(Sam + "memory_attention.layers.1.cross_attn_image.k_proj.weight", 2, "Memory attention or the mask decoder")]
    [InlineData(Sam + "memory_attention.norm.weight", 2, "Memory attention or the mask decoder")]
    [InlineData(Sam + "maskmem_tpos_enc", 2, "Memory attention or the mask decoder")]
    [InlineData(Sam + "image_encoder.neck.convs.1.conv.weight", 0, "The image encoder")]
    [InlineData(Decoder + "iou_prediction_head.layers.2.weight", 0, "The mask decoder")]
    public void A_frame_names_itself_its_object_and_the_stage(string tensor, int frame, string stage)
    {
        using SpoiltModel spoilt = SpoiltModel.Overflowing(tensor);
        using Sa2VAModel model = Sa2VAModel.Load(spoilt.Folder, new CpuDevice());
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2]);
        Assert.Single(session.Ask(Question).Objects);
        for (int f = 0; f < frame; f++)
        {
            ObjectMask mask = Assert.Single(session.Next(Shapes.Clip[f]).Objects);
            Assert.True(float.IsFinite(mask.Score) && float.IsFinite(mask.Present));
        }
        for (int i = 0; i < 2; i++)
        {
            string message = Assert.Throws<NonFiniteException>(() => session.Next(Shapes.Clip[frame])).Message;
            Assert.StartsWith($"Frame {frame}, object 0: {stage} gave NaN or infinity", message, StringComparison.Ordinal);
            Assert.Equal(frame, session.Frames);
        }
        // The conversation goes on.
        Assert.Single(session.Ask(Question).Objects);
    }

    [Theory, InlineData(SpoiltModel.NaN), InlineData((ushort)0x7F80), InlineData((ushort)0xFF80)]
    public void An_embedding_of_one_token_spoils_only_questions_that_use_it(ushort bits)
    {
        const string other = "Please segment the blue star.";
        int token = Shapes.Model.Tokenizer.Encode(" red")[0], width = Shapes.Model.Config.Language.HiddenSize;
        Assert.DoesNotContain(token, Shapes.Model.Tokenizer.Encode(other));
        using var spoilt = new SpoiltModel("language_model.model.embed_tokens.weight", (i, v) => i == token * width + 3 ? bits : v);
        using Sa2VAModel model = Sa2VAModel.Load(spoilt.Folder, new CpuDevice());
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png")),
            reference = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        string expected = Shapes.Fingerprint(reference.Ask(other, new AskOptions { Logits = true }));
        Refused(session);
        // What the refused question left in the cache behind the shared beginning spoils nothing.
        Assert.Equal(expected, Shapes.Fingerprint(session.Ask(other, new AskOptions { Logits = true })));
        Refused(session);
        string next = Shapes.Fingerprint(reference.Ask(other, new AskOptions { FollowUp = true }));
        Assert.Equal(next, Shapes.Fingerprint(session.Ask(other, new AskOptions { FollowUp = true })));

        static void Refused(ImageSession session) => Assert.StartsWith("The language model, reading the prompt,",
            Assert.Throws<NonFiniteException>(() => session.Ask(Question)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_token_is_named_by_its_number()
    {
        // The second token of this answer is fed with an embedding that is NaN.
        using TextSession whole = Shapes.Model.OpenText();
        Answer answer = whole.Ask("What can you do?");
        int at = answer.TokenIds.ToList().FindIndex(id => !answer.PromptIds.Contains(id)), width = Shapes.Model.Config.Language.HiddenSize;
        int token = answer.TokenIds[at];
        using var spoilt = new SpoiltModel("language_model.model.embed_tokens.weight", (i, v) => i / width == token ? SpoiltModel.NaN : v);
        using Sa2VAModel model = Sa2VAModel.Load(spoilt.Folder, new CpuDevice());
        using TextSession session = model.OpenText();
        string message = Assert.Throws<NonFiniteException>(() => session.Ask("What can you do?")).Message;
        Assert.StartsWith($"The language model, at token {at + 1} of its answer,", message, StringComparison.Ordinal);
        // So far it is the answer.
        Assert.Equal(answer.TokenIds.Take(at + 1), session.Ask("What can you do?", new AskOptions { MaxNewTokens = at + 1 }).TokenIds);
    }
}
