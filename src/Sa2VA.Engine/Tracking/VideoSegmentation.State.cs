using Sa2VA.Engine.State;

namespace Sa2VA.Engine.Tracking;

internal sealed partial class VideoSegmentation
{
    /// <summary>The newest frame as the image encoder saw it [S, S, 3], if its features are there still. Waits for the device.</summary>
    public byte[] ReadLevels()
    {
        if (_newest == None) return [];
        FrameFeatures newest = _frames[_newest].Features;
        var levels = new byte[newest.Image.Shape.Count];
        _model.EncoderQueue.Read<byte>(newest.Image, levels);
        return levels;
    }

    /// <summary>What is known of each object. Waits for the device.</summary>
    public IReadOnlyList<TrackState> Capture() => [.. _objects.Select(o => o.Capture(Results))];

    /// <summary>Takes up another stream; this one has had no frame yet, and no object.</summary>
    /// <param name="state">What it was.</param>
    /// <param name="cancellation">Stops between two objects.</param>
    public void Restore(StreamState state, CancellationToken cancellation)
    {
        (Frames, Size) = (state.Frames, state.Size);
        // Encoded anew, to the same bits: the features are several times as large.
        if (state.Levels.Length > 0)
        {
            Features.Encode(state.Levels, cancellation);
            Features.Encoded.Wait();
            _newest = 0;
        }
        foreach (TrackState track in state.Tracks)
        {
            cancellation.ThrowIfCancellationRequested();
            _objects.Add(new ObjectTrack(_model, track, Frames - 1, cancellation));
        }
        _isBound = _objects.Count == 0;
        if (_isBound) return;
        MaskResults results = _frames[0].Results = new MaskResults(_model, _objects.Count);
        for (int i = 0; i < _objects.Count; i++)
        {
            if (state.Tracks[i].Row.Length > 0) results.WriteRow(_model.Queue, i, state.Tracks[i].Row);
            _objects[i].Move([results], i);
        }
        _model.Queue.Mark().Wait();
    }
}
