using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Masks of pictures and frames as one COCO file, which <c>pycocotools.coco.COCO</c> loads: <c>images</c>, <c>annotations</c> with
/// compressed run lengths (and <c>object_id</c>, <c>score</c>), <c>categories</c>: one for each phrase. The file grows with each picture
/// and appears in its place only when it is finished.
/// </summary>
public sealed class CocoFile : IDisposable
{
    private readonly string _path;
    private readonly AtomicFile _file;
    private readonly Utf8JsonWriter _json;
    private readonly Categories _categories = new();
    private readonly List<(string Name, int Width, int Height)> _images = [];
    private int _annotations;

    /// <summary>Begins the file.</summary>
    /// <param name="path">Where it will be; its folder must exist.</param>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public CocoFile(string path)
    {
        (_path, _file) = (path, new AtomicFile(path));
        _json = new Utf8JsonWriter(_file.Stream, ResultJson.Options);
        _json.WriteStartObject();
        _json.WriteStartArray("annotations");
    }

    /// <summary>Adds a picture with its objects; empty masks are no annotations.</summary>
    /// <param name="name">The picture's file name.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="objects">What is on it.</param>
    /// <exception cref="MediaException">The file cannot be written.</exception>
    public void Add(string name, int width, int height, IReadOnlyList<ObjectResult> objects) => ResultJson.Write(_path, () =>
    {
        ArgumentNullException.ThrowIfNull(objects);
        _images.Add((name, width, height));
        foreach (ObjectResult o in objects)
        {
            if (o.Mask.BoundingBox is not { } box) continue;
            _json.WriteStartObject();
            _json.WriteNumber("id", ++_annotations);
            _json.WriteNumber("image_id", _images.Count);
            _json.WriteNumber("category_id", _categories.Id(o.Phrase));
            _json.WriteNumber("object_id", o.Id);
            _json.WritePropertyName("segmentation");
            ResultJson.Rle(_json, o.Mask);
            _json.WriteNumber("area", o.Mask.Area);
            _json.WritePropertyName("bbox");
            ResultJson.Box(_json, box);
            _json.WriteNumber("iscrowd", 0);
            if (o.Score is { } score && double.IsFinite(score)) _json.WriteNumber("score", score);
            _json.WriteEndObject();
        }
        _json.Flush();
    });

    /// <summary>Completes the file and puts it in its place.</summary>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public void Finish()
    {
        ResultJson.Write(_path, () =>
        {
            _json.WriteEndArray();
            _json.WriteStartArray("images");
            foreach (((string name, int width, int height), int i) in _images.Select((image, i) => (image, i)))
            {
                _json.WriteStartObject();
                _json.WriteNumber("id", i + 1);
                _json.WriteString("file_name", name);
                _json.WriteNumber("width", width);
                _json.WriteNumber("height", height);
                _json.WriteEndObject();
            }
            _json.WriteEndArray();
            _categories.Write(_json);
            _json.WriteEndObject();
            _json.Flush();
        });
        _file.Commit();
    }

    /// <summary>Deletes the file unless it was finished.</summary>
    public void Dispose() => _file.Dispose();
}
