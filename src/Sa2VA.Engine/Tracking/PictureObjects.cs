using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The objects of a picture as far as prompts on them need it (docs/model/interactive.md#a-picture): the mask that each has is the dense
/// prompt of the next one, and its points are added to. A mask that language found is found again when it is first corrected, so that
/// objects nobody corrects hold nothing.
/// </summary>
internal sealed class PictureObjects(SegmentationModel model)
{
    private readonly Dictionary<int, State> _objects = [];

    /// <summary>The same objects, for another session about the picture.</summary>
    public PictureObjects Copy()
    {
        var copy = new PictureObjects(model);
        foreach ((int id, State state) in _objects) copy._objects.Add(id, state);
        return copy;
    }

    /// <summary>True if there is such an object.</summary>
    public bool Has(int id) => _objects.ContainsKey(id);

    /// <summary>An object that language names.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="seg">Language vector [D].</param>
    public void Add(int id, ReadOnlyMemory<float> seg) => _objects[id] = new State { Seg = seg };

    /// <summary>Forgets an object.</summary>
    public void Remove(int id) => _objects.Remove(id);

    /// <summary>Enqueues looking for an object that a prompt shows, or shows more of.</summary>
    /// <param name="id">Its number; one that is not known begins here.</param>
    /// <param name="features">The picture's.</param>
    /// <param name="points">In pixels of the encoder's input, a box's corners first; none for a mask.</param>
    /// <param name="mask">A mask to be taken for the truth, or null.</param>
    /// <param name="anew">True to forget the points that there are.</param>
    /// <param name="results">Receives the result in its first row.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <returns>All points on the picture, for <see cref="Keep"/>.</returns>
    public PointPrompt[] Find(int id, FrameFeatures features, PointPrompt[] points, GivenMask? mask, bool anew, MaskResults results,
        CancellationToken cancellation)
    {
        State? state = _objects.GetValueOrDefault(id);
        if (!anew && state is not null) points = [.. state.Points, .. points];
        if (mask is not null)
        {
            mask.Take(model, features, results, cancellation);
            return points;
        }
        var prompt = new ObjectPrompt(model, [], points, state is null ? [] : Low(state, features, results, cancellation));
        PromptedFrame.Find(model, features, memory: null, prompt, results, cancellation);
        return points;
    }

    /// <summary>Makes the latest result the object's state.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="points">All points on the picture.</param>
    /// <param name="low">The mask's logits [4G, 4G].</param>
    public void Keep(int id, PointPrompt[] points, float[] low) => _objects[id] = new State { Points = points, Low = low };

    private float[] Low(State state, FrameFeatures features, MaskResults results, CancellationToken cancellation)
    {
        if (state.Low is { } low) return low;
        PromptedFrame.Find(model, features, memory: null, new ObjectPrompt(model, state.Seg.Span), results, cancellation);
        return results.ReadLow(model.Queue, 0);
    }

    private sealed class State
    {
        public ReadOnlyMemory<float> Seg { get; init; }

        public PointPrompt[] Points { get; init; } = [];

        public float[]? Low { get; init; }
    }
}
