using Sa2VA.Core;
using Sa2VA.Engine.Tracking;

namespace Sa2VA.Engine;

/// <summary>
/// One object on one picture. In a video session it belongs to the session and is overwritten when the next frame is processed: copy with
/// <see cref="ToMask"/> what has to stay.
/// </summary>
public sealed class ObjectMask
{
    private byte[] _pixels = [];
    private float[] _logits = [];
    private readonly bool _keepsLogits;

    internal ObjectMask(int id, bool logits) => (Id, _keepsLogits) = (id, logits);

    /// <summary>The object's number within its session.</summary>
    public int Id { get; }

    /// <summary>Columns.</summary>
    public int Width { get; private set; }

    /// <summary>Rows.</summary>
    public int Height { get; private set; }

    /// <summary>Pixels inside.</summary>
    public long Area { get; private set; }

    /// <summary>How good the model thinks the mask is: predicted IoU, 0…1.</summary>
    public float Score { get; private set; }

    /// <summary>Probability that the object is in the picture, 0…1.</summary>
    public float Present { get; private set; }

    /// <summary>[Height, Width], 1 inside, 0 outside.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels.AsSpan(0, Width * Height);

    /// <summary>[Height, Width] logits, above 0 inside; empty unless asked for.</summary>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>A copy that stays.</summary>
    public Mask ToMask() => new(Width, Height, Pixels.ToArray());

    internal void Fill(ObjectTrack track, MaskResampler resampler, int width, int height)
    {
        if (_pixels.Length != width * height) _pixels = new byte[width * height];
        (Width, Height) = (width, height);
        Area = resampler.Mask(track.Low, height, width, _pixels);
        (Score, Present) = (track.Score, track.Present);
        if (!_keepsLogits) return;
        if (_logits.Length != width * height) _logits = new float[width * height];
        resampler.Logits(track.Low, height, width, _logits);
    }
}

/// <summary>All objects on one frame. Belongs to the session and is overwritten when the next frame is processed.</summary>
public sealed class FrameMasks
{
    private readonly List<ObjectMask> _objects = [];

    internal FrameMasks() { }

    /// <summary>The frame's number, from 0.</summary>
    public long Frame { get; internal set; }

    /// <summary>Columns.</summary>
    public int Width { get; internal set; }

    /// <summary>Rows.</summary>
    public int Height { get; internal set; }

    /// <summary>Objects by number.</summary>
    public IReadOnlyList<ObjectMask> Objects => _objects;

    internal void Add(ObjectMask mask) => _objects.Add(mask);
}
