using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>
/// Objects of one video as a YouTube-VOS file, in the form that the <c>YTVOS</c> class of its evaluation code loads: <c>videos</c>,
/// <c>annotations</c> with an entry for each frame in <c>segmentations</c> (compressed run lengths, or null where the mask is empty),
/// <c>bboxes</c> and <c>areas</c>, <c>categories</c>: one for each phrase. Run lengths are held until the end, pictures are not.
/// </summary>
public sealed class YouTubeVosFile : IDisposable
{
    private readonly string _path;
    private readonly AtomicFile _file;
    private readonly List<string> _frames = [];
    private readonly SortedDictionary<int, Track> _tracks = [];
    private int _width, _height;

    /// <summary>Begins the file.</summary>
    /// <param name="path">Where it will be; its folder must exist.</param>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public YouTubeVosFile(string path) => (_path, _file) = (path, new AtomicFile(path));

    /// <summary>Adds the next frame.</summary>
    /// <param name="name">Its file name.</param>
    /// <param name="width">Columns; the same for all frames.</param>
    /// <param name="height">Rows.</param>
    /// <param name="objects">What is on it.</param>
    public void Add(string name, int width, int height, IReadOnlyList<ObjectResult> objects)
    {
        ArgumentNullException.ThrowIfNull(objects);
        (_width, _height) = (width, height);
        foreach (ObjectResult o in objects)
        {
            if (!_tracks.TryGetValue(o.Id, out Track? track)) _tracks[o.Id] = track = new Track { Phrase = o.Phrase };
            if (o.Score is { } score) track.Scores.Add(score);
            if (o.Mask.BoundingBox is { } box) track.Frames[_frames.Count] = (CocoRle.Encode(o.Mask), box, o.Mask.Area);
        }
        _frames.Add(name);
    }

    /// <summary>Completes the file and puts it in its place.</summary>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public void Finish()
    {
        ResultJson.Write(_path, () =>
        {
            using var json = new Utf8JsonWriter(_file.Stream, ResultJson.Options);
            var categories = new Categories();
            json.WriteStartObject();
            json.WriteStartArray("videos");
            json.WriteStartObject();
            json.WriteNumber("id", 1);
            json.WriteNumber("width", _width);
            json.WriteNumber("height", _height);
            json.WriteNumber("length", _frames.Count);
            json.WriteStartArray("file_names");
            foreach (string name in _frames) json.WriteStringValue(name);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteStartArray("annotations");
            foreach ((int id, Track track) in _tracks) Write(json, id, track, categories);
            json.WriteEndArray();
            categories.Write(json);
            json.WriteEndObject();
        });
        _file.Commit();
    }

    /// <summary>Deletes the file unless it was finished.</summary>
    public void Dispose() => _file.Dispose();

    private void Write(Utf8JsonWriter json, int id, Track track, Categories categories)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id + 1);
        json.WriteNumber("video_id", 1);
        json.WriteNumber("category_id", categories.Id(track.Phrase));
        json.WriteNumber("object_id", id);
        json.WriteNumber("iscrowd", 0);
        json.WriteNumber("width", _width);
        json.WriteNumber("height", _height);
        double score = track.Scores.Count > 0 ? track.Scores.Average() : double.NaN;
        if (double.IsFinite(score)) json.WriteNumber("score", score);
        Each("segmentations", frame =>
        {
            json.WriteStartObject();
            ResultJson.Size(json, _width, _height);
            json.WriteString("counts", frame.Counts);
            json.WriteEndObject();
        });
        Each("bboxes", frame => ResultJson.Box(json, frame.Box));
        Each("areas", frame => json.WriteNumberValue(frame.Area));
        json.WriteEndObject();

        void Each(string name, Action<(string Counts, (int, int, int, int) Box, long Area)> write)
        {
            json.WriteStartArray(name);
            for (int i = 0; i < _frames.Count; i++)
                if (track.Frames.TryGetValue(i, out var frame)) write(frame);
                else json.WriteNullValue();
            json.WriteEndArray();
        }
    }

    private sealed class Track
    {
        public string? Phrase { get; init; }

        public List<double> Scores { get; } = [];

        public Dictionary<int, (string Counts, (int X, int Y, int Width, int Height) Box, long Area)> Frames { get; } = [];
    }
}
