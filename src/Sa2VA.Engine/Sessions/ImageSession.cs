using Sa2VA.Core;
using Sa2VA.Engine.Tracking;

namespace Sa2VA.Engine;

/// <summary>A conversation about one image. The image is encoded once, for whichever half needs it first, however many questions follow.</summary>
public sealed class ImageSession : ChatSession
{
    private readonly RgbImage _image;
    private readonly MaskResampler _resampler;
    private FrameFeatures? _features;
    private MaskPrediction? _prediction;
    private PromptedFrame? _prompted;

    internal ImageSession(Sa2VAModel model, RgbImage image)
        : base(model, DynamicTiling.Count(DynamicTiling.Grid(image.Width, image.Height, model.Config.Vision.TileSize)))
    {
        _image = image;
        _resampler = new MaskResampler(model.Segmentation.LowSide, model.Config.Grounding.ImageSize);
    }

    /// <summary>The image.</summary>
    public RgbImage Image => _image;

    /// <summary>How often the image encoder has run: at most once.</summary>
    public long EncoderRuns => _features?.EncoderRuns ?? 0;

    private protected override bool IsVideo => false;

    private protected override IReadOnlyList<RgbImage> LanguageTiles() => DynamicTiling.Split(_image, Model.Config.Vision.TileSize);

    private protected override void Segment(IReadOnlyList<AnswerObject> objects, AskOptions options, Action<AnswerUpdate>? onUpdate,
        CancellationToken cancellation)
    {
        if (objects.Count == 0) return;
        Action<int>? report = Report(options, AskStage.Masks, objects.Count);
        FrameFeatures features = Features(cancellation);
        MaskPrediction prediction = _prediction ??= new MaskPrediction(Model.Segmentation);
        for (int i = 0; i < objects.Count; i++)
        {
            AnswerObject o = objects[i];
            var prompt = new ObjectPrompt(Model.Segmentation, o.Embedding.Span);
            if (_prompted is null) _prompted = new PromptedFrame(Model.Segmentation, prompt, prediction, cancellation);
            else _prompted.SetPrompt(prompt, cancellation);
            _prompted.Run(features, cancellation);
            prediction.Read();
            o.Mask = new ObjectMask(o.Id, _image.Width, _image.Height, options.Logits);
            o.Mask.Fill(prediction, _resampler);
            report?.Invoke(i + 1);
            onUpdate?.Invoke(new ObjectUpdate(o));
        }
    }

    private protected override void DisposeFrames()
    {
        _prompted?.Dispose();
        _prediction?.Dispose();
        _features?.Dispose();
    }

    private FrameFeatures Features(CancellationToken cancellation)
    {
        if (_features is not null) return _features;
        int side = Model.Config.Grounding.ImageSize;
        var features = new FrameFeatures(Model.Segmentation);
        try
        {
            features.Encode(PillowBicubic.Resize(_image, side, side).Pixels, cancellation);
        }
        catch
        {
            features.Dispose();
            throw;
        }
        return _features = features;
    }
}
