using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation about one image, and objects that are shown on it by clicks, boxes and masks; neither needs the other. Each half of the
/// model encodes the image once, when first needed, however many questions and prompts follow.
/// </summary>
public sealed class ImageSession : ChatSession
{
    private readonly RgbImage _image;
    private readonly PictureFeatures _features;
    private readonly MaskResampler _resampler;
    private readonly PictureObjects _objects;
    private MaskResults? _result;
    private MaskOutput? _output;
    private PromptedFrame? _prompted;

    internal ImageSession(Sa2VAModel model, RgbImage image)
        : this(model, TokensOf(model, image), new PictureFeatures(model.Segmentation, image), new PictureObjects(model.Segmentation))
    {
    }

    private ImageSession(Sa2VAModel model, ImageTokens? picture, PictureFeatures features, PictureObjects objects) : base(model, picture)
    {
        (_image, _features, _objects) = (features.Image, features, objects);
        _resampler = new MaskResampler(model.Segmentation.LowSide, model.Config.Grounding.ImageSize);
    }

    /// <summary>The image.</summary>
    public RgbImage Image => _image;

    /// <summary>How often the image encoder has run: at most once.</summary>
    public long EncoderRuns => _features.EncoderRuns;

    /// <summary>
    /// Segments what is shown by clicks, a box or a mask (docs/model/interactive.md#a-picture): a new object, found without a word. The
    /// language model has no part in it.
    /// </summary>
    /// <param name="prompt">Where the object is.</param>
    /// <param name="logits">True to keep the mask logits at the picture's size.</param>
    /// <param name="cancellation">Stops between two ops; there is then no new object.</param>
    /// <exception cref="PromptException">The prompt does not fit the image, or the mask is empty.</exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; there is then no new object.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public ObjectMask Segment(VisualPrompt prompt, bool logits = false, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterPrompt(prompt, cancellation);
        if (prompt.Mask is { Area: 0 })
            throw new PromptException("An empty mask cannot begin an object: give a mask that has pixels inside, or a click or a box.");
        return Show(null, prompt, logits, cancellation);
    }

    /// <summary>
    /// Corrects an object by clicks, a box or a mask (docs/model/interactive.md#a-picture), whether it was named or shown: the mask that it
    /// has is refined by all clicks so far. What language said of it is not repeated.
    /// </summary>
    /// <param name="id">The object's number.</param>
    /// <param name="prompt">Where the object is, and is not.</param>
    /// <param name="logits">True to keep the mask logits at the picture's size.</param>
    /// <param name="cancellation">Stops between two ops; nothing has then changed.</param>
    /// <exception cref="PromptException">The object is not known, or the prompt does not fit the image.</exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; nothing has then changed.</exception>
    /// <inheritdoc cref="Segment"/>
    public ObjectMask Correct(int id, VisualPrompt prompt, bool logits = false, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterPrompt(prompt, cancellation);
        if (!_objects.Has(id)) throw new PromptException($"This session knows no object {id}.");
        return Show(id, prompt, logits, cancellation);
    }

    /// <inheritdoc/>
    public override ImageSession Fork()
    {
        using SessionGate.Entry gate = Enter(SessionPart.All);
        return TakeUp(new ImageSession(Model, null, _features.Share(), _objects.Copy()));
    }

    private protected override bool IsVideo => false;

    private protected override Mask[] RegionCells(string text, IReadOnlyList<Mask> regions, List<string> notes)
    {
        int room = Model.Config.Language.MaxPositions;
        // A region needs at least its two marks.
        if (regions.Count > room / 2)
            throw new PromptException($"{regions.Count} regions do not fit into the {room} tokens that the model supports; mark fewer.");
        RegionNames.Check(text, regions.Count);
        var cells = new Mask[regions.Count];
        for (int i = 0; i < cells.Length; i++)
        {
            Mask region = regions[i] ?? throw new ArgumentNullException(nameof(regions), $"region{i + 1} is null.");
            if (region.Width != _image.Width || region.Height != _image.Height)
            {
                throw new PromptException(
                    $"region{i + 1} has {region.Width}×{region.Height} pixels, the image {_image.Width}×{_image.Height}; "
                    + "a region is marked on the image itself, so give it that size.");
            }
            if (region.Area == 0) throw new PromptException($"region{i + 1} marks no pixel; leave it out, or mark something.");
            cells[i] = Model.Config.Family.RegionCells(region, Model.Config);
            // Upstream names it to the model all the same, with nothing between its marks.
            if (cells[i].Area == 0)
            {
                notes.Add($"region{i + 1} is too small to be seen by the language model: its {region.Area} pixels lie on none of the "
                    + $"{cells[i].Width}×{cells[i].Height} points at which the model looks at regions. Mark more of it.");
            }
        }
        long tokens = cells.Sum(c => c.Area);
        return tokens <= room
            ? cells
            : throw new PromptException($"The regions alone have {tokens} tokens; the model supports {room}. Mark fewer or less.");
    }

    private protected override async Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs,
        Question question)
    {
        if (objects.Count > 0) await DecodeAsync(objects, segs, question).ConfigureAwait(false);
        await question.SettleAsync().ConfigureAwait(false);
        foreach (AnswerObject o in objects) _objects.Add(o.Id, o.Embedding);
    }

    private protected override void DisposeFrames()
    {
        _prompted?.Dispose();
        _output?.Dispose();
        _result?.Dispose();
        _features.Dispose();
    }

    private async Task DecodeAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs, Question question)
    {
        (bool logits, CancellationToken cancellation) = (question.Options.Logits, question.Cancellation);
        Action<double>? report = question.Report(AskStage.Masks, objects.Count);
        SegmentationModel model = Model.Segmentation;
        FrameFeatures features = await _features.GetAsync(question.Report(AskStage.Features, 1), cancellation).ConfigureAwait(false);
        (MaskResults result, MaskOutput output) = Results();
        for (int i = 0; i < objects.Count; i++)
        {
            AnswerObject o = objects[i];
            var prompt = new ObjectPrompt(model, segs[i].Buffer, segs[i].Written);
            Fence begin = model.Queue.Mark();
            if (_prompted is null)
            {
                _prompted = new PromptedFrame(model, prompt, memory: null, cancellation);
                _prompted.Bind([features], [result], 0);
            }
            else _prompted.SetPrompt(prompt, cancellation);
            _prompted.Run(0, cancellation);
            // Each object is shown as soon as it is there, so each is read by itself.
            Fence end = output.BeginRead(0, cancellation);
            if (logits) end = result.BeginRead(model.Queue);
            await end.Since(begin).WhenReached().ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
            if (!output[0].IsFinite()) throw _prompted.NotFinite(features);
            var mask = new ObjectMask(o.Id, _image.Width, _image.Height, logits);
            mask.Fill(output, result, 0, _resampler);
            o.Show(mask, question.Options.MinScore);
            report?.Invoke(i + 1);
            question.Tell(new ObjectUpdate(o));
        }
    }

    private SessionGate.Entry EnterPrompt(VisualPrompt prompt, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        SessionGate.Entry gate = Gate.Enter(this);
        try
        {
            ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
            cancellation.ThrowIfCancellationRequested();
            prompt.CheckFrame(newest: 0);
            prompt.Check(_image.Width, _image.Height);
            return gate;
        }
        catch
        {
            gate.Dispose();
            throw;
        }
    }

    private ObjectMask Show(int? known, VisualPrompt prompt, bool logits, CancellationToken cancellation)
    {
        SegmentationModel model = Model.Segmentation;
        PointPrompt[] points = prompt.Points(_image.Width, _image.Height, model.Config.ImageSize);
        GivenMask? given = prompt.Mask is { } m ? GivenMask.Of(model, m, cancellation) : null;
        FrameFeatures features = _features.GetAsync(null, cancellation).GetAwaiter().GetResult();
        (MaskResults result, MaskOutput output) = Results();
        points = _objects.Find(known ?? -1, features, points, given, prompt.Anew, result, cancellation);
        output.BeginRead(0, cancellation);
        result.BeginRead(model.Queue).Wait();
        cancellation.ThrowIfCancellationRequested();
        if (!result[0].IsFinite()) throw FiniteCheck.Error(features.IsFinite() ? "The mask decoder" : FrameFeatures.Stage);
        int id = known ?? NextObject();
        _objects.Keep(id, points, result[0].Low.ToArray());
        var mask = new ObjectMask(id, _image.Width, _image.Height, logits);
        mask.Fill(output, result, 0, _resampler);
        return mask;
    }

    private (MaskResults Result, MaskOutput Output) Results()
    {
        MaskResults result = _result ??= new MaskResults(Model.Segmentation, 1);
        return (result, _output ??= new MaskOutput(Model.Segmentation, [result], _image.Width, _image.Height));
    }

    private static ImageTokens TokensOf(Sa2VAModel model, RgbImage image)
    {
        (ModelFamily family, Sa2VAConfig config) = (model.Config.Family, model.Config);
        return new ImageTokens(model.VisionTower, family.Grids(image.Width, image.Height, config), () => family.Tiles(image, config));
    }
}
