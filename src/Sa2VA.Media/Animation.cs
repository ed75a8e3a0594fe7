using Sa2VA.Engine;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>An animated GIF or WebP as a video. A still one has one frame.</summary>
internal sealed class Animation(EncodedImage file) : VideoSource(file.Name)
{
    private readonly SKCodecFrameInfo[] _frames = file.Frames();
    private readonly byte[] _canvas = file.NewCanvas();

    /// <summary>What the canvas holds: the result of this frame, or −1.</summary>
    private int _held = -1;

    public override int Width => file.Width;

    public override int Height => file.Height;

    public override int FrameCount => _frames.Length;

    public override TimeSpan? Duration(int index) => TimeSpan.FromMilliseconds(_frames[index].Duration);

    /// <summary>
    /// Frames change what an earlier one left. The chain back to one that stands alone, or to what the canvas holds, is walked here rather than by
    /// the codec, which would call itself once per frame.
    /// </summary>
    private protected override RgbImage Decode(int index)
    {
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
                file.Decode(_canvas, frame, prior);
                prior = frame;
            }
            _held = index;
        }
        return file.ToRgb(_canvas);
    }

    public override void Dispose()
    {
        file.Dispose();
        base.Dispose();
    }

    /// <summary>The codec accepts any frame from the required one on, unless that frame is to be undone afterwards.</summary>
    private bool CanStartFrom(int held, int frame) => held >= 0 && held < frame && _frames[frame].RequiredFrame >= 0
        && held >= _frames[frame].RequiredFrame && _frames[held].DisposalMethod != SKCodecAnimationDisposalMethod.RestorePrevious;
}
