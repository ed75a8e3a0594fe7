using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Engine.Tracking;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation about a video, and the video itself as a stream: questions name objects, frames go in one at a time, masks of all objects
/// come out. Each frame is encoded once for all objects, memory does not grow with the stream, and a warm frame allocates nothing. Objects
/// may be named before the first frame or between any two.
/// </summary>
public sealed class VideoSession : ChatSession
{
    private readonly IReadOnlyList<RgbImage> _languageFrames;
    private readonly VideoSegmentation _stream;
    private readonly MaskResampler _resampler;
    private readonly PillowBicubic _resize = new();
    private readonly byte[] _input;
    private readonly FrameMasks _masks = new();
    private readonly List<ObjectMask> _joined = [];

    internal VideoSession(Sa2VAModel model, IReadOnlyList<RgbImage> languageFrames) : base(model, languageFrames.Count)
    {
        int tile = model.Config.Vision.TileSize, side = model.Config.Grounding.ImageSize;
        _languageFrames = [.. languageFrames.Select(f => PillowBicubic.Resize(f, tile, tile))];
        _resampler = new MaskResampler(model.Segmentation.LowSide, side);
        _input = new byte[side * side * 3];
        try
        {
            _stream = new VideoSegmentation(model.Segmentation);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Frames processed.</summary>
    public long Frames { get; private set; }

    /// <summary>Objects that the stream follows.</summary>
    public int ObjectCount => _stream.Objects.Count;

    /// <summary>How often the image encoder has run: once per frame.</summary>
    public long EncoderRuns => _stream.Features.EncoderRuns;

    private protected override bool IsVideo => true;

    /// <summary>Processes the next frame.</summary>
    /// <param name="frame">Of the size of the first one.</param>
    /// <param name="cancellation">Stops between two ops; the stream can then not go on.</param>
    /// <returns>All objects on it. Overwritten by the next call.</returns>
    /// <exception cref="MediaException">The frame's size differs, or an earlier frame was cancelled.</exception>
    /// <exception cref="PromptException">The session is busy.</exception>
    public FrameMasks Next(RgbImage frame, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frame);
        return Next(frame.Pixels, frame.Width, frame.Height, cancellation);
    }

    /// <summary>Processes the next frame from memory of the caller, as a camera gives it.</summary>
    /// <param name="pixels">[height, width, 3], 8-bit RGB.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="cancellation">Stops between two ops; the stream can then not go on.</param>
    /// <inheritdoc cref="Next(RgbImage, CancellationToken)"/>
    public FrameMasks Next(ReadOnlySpan<byte> pixels, int width, int height, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = Gate.Enter(this);
        ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
        PixelSize.Check(width, height, "The frame");
        if (pixels.Length != width * height * 3) throw new MediaException($"A frame of {width}×{height} pixels has {width * height * 3} bytes, not {pixels.Length}.");
        if (Frames > 0 && (width != _masks.Width || height != _masks.Height))
            throw new MediaException($"Frame {Frames} is {width}×{height}, the stream is {_masks.Width}×{_masks.Height}; begin a new session for another size.");
        int side = Model.Config.Grounding.ImageSize;
        _resize.Resize(pixels, width, height, _input, side, side);
        _stream.Step<byte>(_input, last: false, cancellation);
        (_masks.Width, _masks.Height, _masks.Frame) = (width, height, Frames++);
        foreach (ObjectMask mask in _joined) _masks.Add(mask);
        _joined.Clear();
        for (int i = 0; i < _stream.Objects.Count; i++) _masks.Objects[i].Fill(_stream.Objects[i], _resampler, width, height);
        return _masks;
    }

    /// <summary>Processes frames as they come.</summary>
    /// <param name="frames">Frames of one size.</param>
    /// <param name="cancellation">Stops within one frame.</param>
    /// <returns>Masks per frame, each as soon as it is done; overwritten by the next one.</returns>
    public async IAsyncEnumerable<FrameMasks> TrackAsync(IAsyncEnumerable<RgbImage> frames, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frames);
        await foreach (RgbImage frame in frames.WithCancellation(cancellation).ConfigureAwait(false))
            yield return await Task.Run(() => Next(frame, cancellation), cancellation).ConfigureAwait(false);
    }

    private protected override IReadOnlyList<RgbImage> LanguageTiles() => _languageFrames;

    private protected override void Segment(IReadOnlyList<AnswerObject> objects, AskOptions options, CancellationToken cancellation)
    {
        int conditioning = Math.Min(Tiles, Model.Segmentation.ConditioningFrames), before = _stream.Objects.Count;
        try
        {
            foreach (AnswerObject o in objects) _stream.Add(new ObjectPrompt(Model.Segmentation, o.Embedding.Span), conditioning, cancellation);
        }
        catch
        {
            _stream.RemoveFrom(before);
            throw;
        }
        foreach (AnswerObject o in objects) _joined.Add(new ObjectMask(o.Id, options.Logits));
    }

    private protected override void DisposeFrames() => _stream?.Dispose();
}
