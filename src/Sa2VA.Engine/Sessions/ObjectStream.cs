using Sa2VA.Core;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// The half of a video session that frames go through: which objects are followed, by number, and their masks in each frame's size. One
/// caller at a time; the session sees to that.
/// </summary>
internal sealed partial class ObjectStream : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly bool _reuseMasks, _shownLogits;
    private readonly int _maxObjects;
    private readonly MaskResampler _resampler;
    private readonly List<NamedObject> _named = [];
    private FrameMasks? _masks;

    public ObjectStream(SegmentationModel model, VideoOptions options)
    {
        (_model, _reuseMasks, _shownLogits, _maxObjects) = (model, options.ReuseMasks, options.Logits, options.MaxObjects);
        _resampler = new MaskResampler(model.LowSide, model.Config.ImageSize);
        Recent = new RecentFrames(options.KeepFrames);
        Video = new VideoSegmentation(model, options.Progress is { } progress ? progress.Report : null);
    }

    /// <summary>What the objects do on a frame.</summary>
    public VideoSegmentation Video { get; }

    /// <summary>The newest frames, as many as are to be there.</summary>
    public RecentFrames Recent { get; }

    /// <summary>Frames that were kept.</summary>
    public long Frames => Video.Frames;

    /// <summary>Objects that are followed.</summary>
    public int Count => _named.Count;

    /// <summary>True if a frame's logits are to be read.</summary>
    public bool WantsLogits => _named.Exists(o => o.Logits);

    /// <summary>Processes the next frame.</summary>
    public FrameMasks Next(ImageView frame, CancellationToken cancellation)
    {
        PixelSize.Check(frame.Width, frame.Height, "The frame");
        return Next(frame, RoomForMasks(frame.Width, frame.Height), cancellation);
    }

    /// <summary>Processes the next frame, into masks that others have had before, where they are to be reused and fit.</summary>
    public FrameMasks NextInto(FrameMasks? old, ImageView frame, CancellationToken cancellation)
    {
        PixelSize.Check(frame.Width, frame.Height, "The frame");
        return Next(frame, RoomForMasks(_reuseMasks ? old : null, frame.Width, frame.Height), cancellation);
    }

    private FrameMasks Next(ImageView frame, FrameMasks masks, CancellationToken cancellation)
    {
        Video.Step(frame, WantsLogits, cancellation);
        Fill(masks, frame);
        return masks;
    }

    /// <summary>Has objects that language names join, each behind those of lower numbers.</summary>
    /// <param name="tracks">The objects; owned from now on.</param>
    /// <param name="names">What is known of them.</param>
    public void Join(IReadOnlyList<ObjectTrack> tracks, IReadOnlyList<NamedObject> names)
    {
        for (int i = 0; i < tracks.Count; i++)
        {
            // Who was shown while an answer was on its way has joined before, with a number behind those of the answer.
            int index = _named.FindIndex(o => o.Id > names[i].Id);
            if (index < 0) index = _named.Count;
            Video.Insert(index, tracks[i]);
            _named.Insert(index, names[i]);
        }
    }

    /// <summary>Has an object join that is shown on the newest frame.</summary>
    /// <param name="prompt">Where it is.</param>
    /// <param name="number">Gives its number, once it has joined.</param>
    /// <param name="cancellation">Stops between two ops; the object has then not joined.</param>
    public int Follow(VisualPrompt prompt, Func<int> number, CancellationToken cancellation)
    {
        Check(prompt);
        if (_named.Count >= _maxObjects)
        {
            throw new PromptException($"There would be too many objects: the stream follows {_named.Count}, at most {_maxObjects}. "
                + "Remove one, or raise VideoOptions.MaxObjects.");
        }
        if (prompt.Mask is { Area: 0 })
            throw new PromptException("An empty mask cannot begin an object: give a mask that has pixels inside, or a click or a box.");
        int index = _named.Count;
        Video.Add();
        try
        {
            Prompt(index, prompt, WantsLogits || _shownLogits, cancellation);
        }
        catch
        {
            Video.RemoveFrom(index);
            throw;
        }
        int id = number();
        _named.Add(new NamedObject(id, _shownLogits));
        return id;
    }

    /// <summary>Corrects an object on the newest frame.</summary>
    public void Correct(int id, VisualPrompt prompt, CancellationToken cancellation)
    {
        Check(prompt);
        Prompt(IndexOf(id), prompt, WantsLogits, cancellation);
    }

    /// <summary>Has an object leave.</summary>
    public void Remove(int id)
    {
        int index = IndexOf(id);
        _named.RemoveAt(index);
        Video.RemoveAt(index);
    }

    /// <summary>All objects that have a mask on the newest frame, as they are now.</summary>
    public FrameMasks NewestMasks()
    {
        (int width, int height) = Video.Size;
        var masks = new FrameMasks(width, height) { Frame = Frames - 1 };
        for (int i = 0; i < _named.Count; i++)
        {
            // Who was named since the frame came has no mask on it.
            if (!Video.Objects[i].HasMask) continue;
            var mask = new ObjectMask(_named[i].Id, width, height, _named[i].Logits);
            mask.Fill(Video.Output!, Video.Results!, i, _resampler);
            masks.Add(mask);
        }
        return masks;
    }

    /// <summary>
    /// Room for the masks of all objects, made before anything is computed: a frame that has been processed cannot fail for want of it.
    /// </summary>
    public FrameMasks RoomForMasks(int width, int height) =>
        _reuseMasks ? _masks = RoomForMasks(_masks, width, height) : RoomForMasks(null, width, height);

    private FrameMasks RoomForMasks(FrameMasks? old, int width, int height)
    {
        Recent.Reserve(width, height);
        FrameMasks masks = old is not null && Fits(old, width, height) ? old : new FrameMasks(width, height);
        for (int i = masks.Objects.Count; i < _named.Count; i++)
            masks.Add(new ObjectMask(_named[i].Id, width, height, _named[i].Logits, _reuseMasks));
        return masks;
    }

    /// <summary>True if masks are those of the first objects.</summary>
    private bool Fits(FrameMasks masks, int width, int height)
    {
        if (masks.Width != width || masks.Height != height || masks.Objects.Count > _named.Count) return false;
        for (int i = 0; i < masks.Objects.Count; i++)
            if ((masks.Objects[i].Id, masks.Objects[i].WantsLogits) != (_named[i].Id, _named[i].Logits)) return false;
        return true;
    }

    /// <summary>Takes over what was read of the latest frame, which is kept.</summary>
    public void Fill(FrameMasks masks, ImageView frame)
    {
        Recent.Keep(frame);
        masks.Frame = Frames - 1;
        for (int i = 0; i < masks.Objects.Count; i++) masks.Objects[i].Fill(Video.Output!, Video.Results!, i, _resampler);
        LostFrames = IsAnyLost(masks) ? LostFrames + 1 : 0;
    }

    private bool IsAnyLost(FrameMasks masks)
    {
        for (int i = 0; i < masks.Objects.Count; i++)
            if (_named[i].Words is not null && masks.Objects[i] is { IsPresent: false } or { Area: 0 }) return true;
        return false;
    }

    /// <summary>Has neither frames nor objects any more; buffers stay.</summary>
    public void Reset()
    {
        _named.Clear();
        Recent.Clear();
        Video.Reset();
        (Life, LostFrames) = (Life + 1, 0);
    }

    public void Dispose() => Video.Dispose();

    private void Check(VisualPrompt prompt)
    {
        if (Frames == 0) throw new PromptException("No frame was processed yet: push one, then show objects on it.");
        prompt.CheckFrame(Frames - 1);
        prompt.Check(Video.Size.Width, Video.Size.Height);
    }

    private void Prompt(int index, VisualPrompt prompt, bool logits, CancellationToken cancellation)
    {
        PointPrompt[] points = prompt.Points(Video.Size.Width, Video.Size.Height, _model.Config.ImageSize);
        if (!prompt.Anew) points = [.. Video.Objects[index].Points, .. points];
        GivenMask? mask = prompt.Mask is { } given ? GivenMask.Of(_model, given, cancellation) : null;
        Video.Prompt(index, points, mask, logits, cancellation);
    }

    private int IndexOf(int id)
    {
        int index = _named.FindIndex(o => o.Id == id);
        return index >= 0 ? index : throw new PromptException($"This stream follows no object {id}.");
    }
}
