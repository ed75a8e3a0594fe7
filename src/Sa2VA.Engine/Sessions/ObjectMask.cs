using Sa2VA.Core;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>One object on one picture.</summary>
public sealed class ObjectMask
{
    /// <summary>A score below this is called low: the model itself thinks that the mask is hardly the object's.</summary>
    public const float LowScoreBelow = 0.5f;

    private readonly byte[] _pixels;
    private readonly float[] _logits;
    private readonly bool _reused;

    internal ObjectMask(int id, int width, int height, bool logits, bool reused = false)
    {
        (Id, Width, Height, _reused) = (id, width, height, reused);
        _pixels = new byte[width * height];
        _logits = logits ? new float[width * height] : [];
    }

    /// <summary>The object's number within its session.</summary>
    public int Id { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Pixels inside.</summary>
    public long Area { get; private set; }

    /// <summary>How good the model thinks the mask is: predicted IoU, 0…1.</summary>
    public float Score { get; private set; }

    /// <summary>True if <see cref="Score"/> is below <see cref="LowScoreBelow"/>.</summary>
    public bool LowScore => Score < LowScoreBelow;

    /// <summary>Probability that the object is in the picture, 0…1.</summary>
    public float Present { get; private set; }

    /// <summary>
    /// False if the model thinks that the object is lost or out of sight: <see cref="Present"/> is not above ½. Pixels may be inside all
    /// the same; how sure it is of them says <see cref="Score"/>.
    /// </summary>
    public bool IsPresent => IsInSight(Present);

    /// <summary>[Height, Width], 1 inside, 0 outside.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>[Height, Width] logits, above 0 inside; empty unless asked for.</summary>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>The same as a mask that never changes; a copy where <see cref="VideoOptions.ReuseMasks"/> makes one necessary.</summary>
    public Mask ToMask() => new(Width, Height, _reused ? [.. _pixels] : _pixels);

    internal static bool IsInSight(float present) => present > 0.5f;

    internal bool WantsLogits => _logits.Length > 0;

    /// <summary>Takes over what the device gave of the object.</summary>
    /// <param name="output">All objects.</param>
    /// <param name="results">Read as well where logits are wanted.</param>
    /// <param name="row">The object.</param>
    /// <param name="resampler">For logits.</param>
    internal void Fill(MaskOutput output, MaskResults results, int row, MaskResampler resampler)
    {
        Area = MaskBits.Expand(output.Bits(row), Width, Height, _pixels);
        MaskPrediction prediction = output[row];
        (Score, Present) = (prediction.Score, prediction.Present);
        if (WantsLogits) resampler.Logits(results.Low(row), Height, Width, _logits);
    }
}

/// <summary>All objects on one frame.</summary>
public sealed class FrameMasks
{
    private readonly List<ObjectMask> _objects = [];

    internal FrameMasks(int width, int height) => (Width, Height) = (width, height);

    /// <summary>The frame's number, from 0; frames that failed or were cancelled are not counted.</summary>
    public long Frame { get; internal set; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Objects by number.</summary>
    public IReadOnlyList<ObjectMask> Objects => _objects;

    internal void Add(ObjectMask mask) => _objects.Add(mask);
}
