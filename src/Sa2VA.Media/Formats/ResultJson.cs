using System.Text.Encodings.Web;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>What the JSON files of masks have in common.</summary>
internal static class ResultJson
{
    public static JsonWriterOptions Options => new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A mask as compressed run lengths.</summary>
    public static void Rle(Utf8JsonWriter json, Mask mask)
    {
        json.WriteStartObject();
        Size(json, mask.Width, mask.Height);
        json.WriteString("counts", CocoRle.Encode(mask));
        json.WriteEndObject();
    }

    /// <summary>Height comes first.</summary>
    public static void Size(Utf8JsonWriter json, int width, int height)
    {
        json.WriteStartArray("size");
        json.WriteNumberValue(height);
        json.WriteNumberValue(width);
        json.WriteEndArray();
    }

    public static void Box(Utf8JsonWriter json, (int X, int Y, int Width, int Height) box)
    {
        json.WriteStartArray();
        json.WriteNumberValue(box.X);
        json.WriteNumberValue(box.Y);
        json.WriteNumberValue(box.Width);
        json.WriteNumberValue(box.Height);
        json.WriteEndArray();
    }

    /// <summary>Names the file that cannot be written.</summary>
    public static void Write(string path, Action write)
    {
        try
        {
            write();
        }
        catch (IOException e)
        {
            throw AtomicFile.CannotWrite(path, e);
        }
    }
}

/// <summary>Phrases as categories, from 1.</summary>
internal sealed class Categories
{
    private const string Nameless = "object";

    private readonly List<string> _names = [];

    public int Id(string? phrase)
    {
        string name = phrase ?? Nameless;
        int at = _names.IndexOf(name);
        if (at >= 0) return at + 1;
        _names.Add(name);
        return _names.Count;
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartArray("categories");
        for (int i = 0; i < _names.Count; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", i + 1);
            json.WriteString("name", _names[i]);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
