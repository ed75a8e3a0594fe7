using System.Runtime.ExceptionServices;
using Sa2VA.Core;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// One reading of <see cref="VideoSession.TrackAsync"/>: while objects are tracked on a frame, the next one is asked for and encoded. What
/// is wrong with it is told when its turn comes.
/// </summary>
internal sealed class FrameTracking : IAsyncDisposable
{
    private readonly VideoSession _session;
    private readonly ObjectStream _stream;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenSource _ended;
    private readonly IAsyncEnumerator<RgbImage> _frames;
    private Task<bool>? _moving;
    private Ahead? _ahead;

    /// <param name="session">The session.</param>
    /// <param name="stream">Its stream.</param>
    /// <param name="frames">Frames as they come.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public FrameTracking(VideoSession session, ObjectStream stream, IAsyncEnumerable<RgbImage> frames, CancellationToken cancellation)
    {
        (_session, _stream, _cancellation) = (session, stream, cancellation);
        _ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _frames = frames.GetAsyncEnumerator(_ended.Token);
    }

    /// <summary>The masks of the next frame; null behind the last one.</summary>
    public async Task<FrameMasks?> NextAsync()
    {
        if (_ahead is null && !await Moved().ConfigureAwait(false)) return null;
        using SessionGate.Entry gate = _session.EnterFrame(_cancellation);
        VideoSegmentation video = _stream.Video;
        long began = Sa2VATelemetry.BeginFrame();
        Ahead ahead = _ahead ?? new Ahead(_frames.Current);
        _ahead = null;
        try
        {
            ahead.Error?.Throw();
            RgbImage frame = ahead.Frame ?? throw new MediaException($"Frame {_session.Frames} is null.");
            (int Width, int Height) size = (frame.Width, frame.Height);
            if (ahead.Features < 0) ahead.Features = video.TakeFeatures(size, _cancellation);
            video.Due(ahead.Features);
            FrameMasks masks = _stream.RoomForMasks(size.Width, size.Height);
            video.Prepare(size, _cancellation);
            if (!ahead.IsEncoded) video.Encode(ahead.Features, frame.View, _ended.Token);
            Task tracked = video.Enqueue(ahead.Features, _stream.WantsLogits, _ended.Token).WhenReached();
            try
            {
                await EncodeNext(tracked).ConfigureAwait(false);
            }
            finally
            {
                // Nobody else may use the stream before the objects are through.
                await tracked.ConfigureAwait(false);
            }
            video.Finish(ahead.Features, size, _cancellation);
            _stream.Fill(masks, frame.View);
            Sa2VATelemetry.EndFrame(began, _session.Model, masks.Objects.Count);
            return masks;
        }
        finally
        {
            if (ahead.Features >= 0) _stream.Video.ReturnFeatures(ahead.Features);
        }
    }

    public async ValueTask DisposeAsync()
    {
        // A source that is asked for a frame must have answered before it may be closed.
        await _ended.CancelAsync().ConfigureAwait(false);
        if (_ahead is { Features: >= 0 } ahead) _stream.Video.ReturnFeatures(ahead.Features);
        if (_moving is not null) await ((Task)_moving).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _frames.DisposeAsync().ConfigureAwait(false);
        _ended.Dispose();
    }

    private async Task<bool> Moved()
    {
        Task<bool> moving = _moving ??= _frames.MoveNextAsync().AsTask();
        bool moved = await moving.ConfigureAwait(false);
        // Behind the last frame it is not asked again.
        if (moved) _moving = null;
        return moved;
    }

    /// <summary>Asks for the next frame and encodes it, if it comes before the objects are through with this one.</summary>
    private async Task EncodeNext(Task tracked)
    {
        _moving ??= _frames.MoveNextAsync().AsTask();
        await Task.WhenAny(tracked, _moving).ConfigureAwait(false);
        if (!_moving.IsCompletedSuccessfully || !await Moved().ConfigureAwait(false)) return;
        _ahead = new Ahead(_frames.Current);
        if (_ahead.Frame is not { } frame) return;
        try
        {
            _ahead.Features = _stream.Video.TakeFeatures((frame.Width, frame.Height), _ended.Token);
            if (_ahead.Features < 0) return;
            await _stream.Video.WhenEncoderIsFree().ConfigureAwait(false);
            _stream.Video.Encode(_ahead.Features, frame.View, _ended.Token);
            _ahead.IsEncoded = true;
        }
        catch (Exception e)
        {
            _ahead.Error = ExceptionDispatchInfo.Capture(e);
        }
    }

    /// <summary>A frame that was asked for before its turn.</summary>
    private sealed class Ahead(RgbImage? frame)
    {
        public RgbImage? Frame => frame;

        /// <summary>Taken for it; −1 where there were none.</summary>
        public int Features { get; set; } = -1;

        public bool IsEncoded { get; set; }

        public ExceptionDispatchInfo? Error { get; set; }
    }
}
