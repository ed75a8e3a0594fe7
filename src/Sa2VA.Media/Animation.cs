using System.Globalization;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>An animated GIF or WebP as a video. A still one has one frame.</summary>
internal sealed class Animation : VideoSource
{
    private readonly EncodedImage _file;
    private readonly CodecPixels _pixels;
    private readonly SKCodecFrameInfo[] _frames;
    private readonly byte[] _canvas;

    /// <summary>What the canvas holds: the result of this frame, or −1.</summary>
    private int _held = -1;

    /// <summary>Takes over the file.</summary>
    public Animation(EncodedImage file, MediaOptions options) : base(file.Name, options)
    {
        (_file, _pixels, Width, Height) = (file, file.Animated, file.Width, file.Height);
        (_frames, _canvas) = (_pixels.Frames(), _pixels.NewCanvas());
        if (FrameCount == 1) Note($"{Name} holds a single frame: a still picture as a video.");
        if (file.OrientationNote is { } note) Note(note);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override int FrameCount => _frames.Length;

    public override TimeSpan? Duration(int index) => TimeSpan.FromMilliseconds(_frames[index].Duration);

    public override TimeSpan? Time(int index) => TimeSpan.FromMilliseconds(_frames.Take(index).Sum(f => (long)f.Duration));

    /// <summary>
    /// Frames change what an earlier one left. The chain back to one that stands alone, or to what the canvas holds, is walked here rather
    /// than by the codec, which would call itself once per frame.
    /// </summary>
    private protected override RgbImage Decode(int index, out string? note)
    {
        note = null;
        if (_held != index)
        {
            var chain = new Stack<int>();
            int prior = -1;
            for (int frame = index; ; frame = _frames[frame].RequiredFrame)
            {
                chain.Push(frame);
                if (CanStartFrom(_held, frame)) prior = _held;
                if (prior >= 0 || _frames[frame].RequiredFrame < 0) break;
            }
            _held = -1;
            while (chain.TryPop(out int frame))
            {
                if (prior < 0) Array.Clear(_canvas);
                _pixels.Decode(_canvas, frame, prior);
                prior = frame;
            }
            _held = index;
        }
        return _file.Picture(_canvas);
    }

    private protected override string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(Name)}#{index}");

    private protected override void Close() => _file.Dispose();

    /// <summary>The codec accepts any frame from the required one on, unless that frame is to be undone afterwards.</summary>
    private bool CanStartFrom(int held, int frame) => held >= 0 && held < frame && _frames[frame].RequiredFrame >= 0
        && held >= _frames[frame].RequiredFrame && _frames[held].DisposalMethod != SKCodecAnimationDisposalMethod.RestorePrevious;
}
