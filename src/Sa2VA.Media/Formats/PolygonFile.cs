using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>
/// Outlines of the objects on pictures and frames as one JSON file: <c>frames</c>, each with <c>name</c>, <c>width</c>, <c>height</c> and
/// <c>objects</c> of <c>id</c>, <c>phrase</c>, <c>score</c> and <c>polygons</c>: <c>outer</c> and <c>holes</c> as lists of [x, y] (see
/// <see cref="Polygon"/>). The file grows with each frame and appears in its place only when it is finished.
/// </summary>
public sealed class PolygonFile : IDisposable
{
    private readonly string _path;
    private readonly AtomicFile _file;
    private readonly Utf8JsonWriter _json;

    /// <summary>Begins the file.</summary>
    /// <param name="path">Where it will be; its folder must exist.</param>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public PolygonFile(string path)
    {
        (_path, _file) = (path, new AtomicFile(path));
        _json = new Utf8JsonWriter(_file.Stream, ResultJson.Options);
        _json.WriteStartObject();
        _json.WriteStartArray("frames");
    }

    /// <summary>Adds a picture or the next frame.</summary>
    /// <param name="name">Its file name.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="objects">What is on it.</param>
    /// <exception cref="MediaException">The file cannot be written.</exception>
    public void Add(string name, int width, int height, IReadOnlyList<ObjectResult> objects) => ResultJson.Write(_path, () =>
    {
        ArgumentNullException.ThrowIfNull(objects);
        _json.WriteStartObject();
        _json.WriteString("name", name);
        _json.WriteNumber("width", width);
        _json.WriteNumber("height", height);
        _json.WriteStartArray("objects");
        foreach (ObjectResult o in objects)
        {
            _json.WriteStartObject();
            _json.WriteNumber("id", o.Id);
            _json.WriteString("phrase", o.Phrase);
            if (o.Score is { } score && double.IsFinite(score)) _json.WriteNumber("score", score);
            _json.WriteStartArray("polygons");
            foreach (Polygon polygon in Polygon.Of(o.Mask))
            {
                _json.WriteStartObject();
                _json.WritePropertyName("outer");
                Ring(polygon.Outer);
                _json.WriteStartArray("holes");
                foreach (IReadOnlyList<(int X, int Y)> hole in polygon.Holes) Ring(hole);
                _json.WriteEndArray();
                _json.WriteEndObject();
            }
            _json.WriteEndArray();
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
        _json.WriteEndObject();
        _json.Flush();
    });

    /// <summary>Completes the file and puts it in its place.</summary>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public void Finish()
    {
        ResultJson.Write(_path, () =>
        {
            _json.WriteEndArray();
            _json.WriteEndObject();
            _json.Flush();
        });
        _file.Commit();
    }

    /// <summary>Deletes the file unless it was finished.</summary>
    public void Dispose() => _file.Dispose();

    private void Ring(IReadOnlyList<(int X, int Y)> corners)
    {
        _json.WriteStartArray();
        foreach ((int x, int y) in corners)
        {
            _json.WriteStartArray();
            _json.WriteNumberValue(x);
            _json.WriteNumberValue(y);
            _json.WriteEndArray();
        }
        _json.WriteEndArray();
    }
}
