using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Evaluation;

/// <summary>Reads the JSON files of datasets; what is wrong with one is told with its name.</summary>
internal static class CocoJson
{
    /// <summary>Reads a whole file.</summary>
    /// <exception cref="UsageException">It is not there, or no JSON.</exception>
    public static JsonDocument Read(string path)
    {
        try
        {
            return JsonDocument.Parse(RegularFile.ReadAllBytes(path));
        }
        catch (JsonException e)
        {
            throw new UsageException($"{Quoted.Of(path)} is no valid JSON: {e.Message}", e);
        }
        catch (FileNotFoundException e)
        {
            throw new UsageException($"There is no {Quoted.Of(path)}, which this evaluation needs; docs/eval.md describes what is in the "
                + "folder that --data names.", e);
        }
        catch (Exception e) when (FileTrouble.Is(e))
        {
            throw new UsageException($"{Quoted.Of(path)} cannot be read: {FileTrouble.Cause(e)}.", e);
        }
    }

    /// <summary>The folder of a dataset's pictures, which is there.</summary>
    /// <param name="data">The dataset.</param>
    /// <param name="images">As it was given; null for pictures beside the rest.</param>
    /// <exception cref="UsageException">It is not there.</exception>
    public static string Images(string data, string? images)
    {
        string folder = images ?? Path.Combine(data, "images");
        return Directory.Exists(folder) ? folder : throw new UsageException($"There is no folder {Quoted.Of(folder)}; "
            + (images is null ? "give that of the images with --images DIR." : "check --images."));
    }

    /// <summary>Does something with a file's content; fields that are missing or of another kind are told with its name.</summary>
    public static T Of<T>(string path, Func<JsonElement, T> read)
    {
        using JsonDocument document = Read(path);
        try
        {
            return read(document.RootElement);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or MediaException)
        {
            throw new UsageException($"{Quoted.Of(path)} is not of the form that docs/eval.md describes: {e.Message}", e);
        }
    }

    /// <summary>A number or a text as a text: datasets have ids of both kinds.</summary>
    public static string Id(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    /// <summary>The pixels of a segmentation: polygons, or run lengths, compressed or as numbers.</summary>
    public static Mask Mask(JsonElement segmentation, int width, int height)
    {
        PixelSize.Check(width, height, "A mask");
        var pixels = new byte[width * height];
        if (segmentation.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement polygon in segmentation.EnumerateArray())
                CocoPolygon.Fill(pixels, width, height, [.. polygon.EnumerateArray().Select(c => c.GetDouble())]);
            return new Mask(width, height, pixels);
        }
        JsonElement counts = segmentation.GetProperty("counts"), size = segmentation.GetProperty("size");
        (int rows, int columns) = (size[0].GetInt32(), size[1].GetInt32());
        if ((columns, rows) != (width, height))
            throw new MediaException($"A mask of {columns}×{rows} belongs to a picture of {width}×{height}.");
        if (counts.ValueKind == JsonValueKind.String) return CocoRle.Decode(counts.GetString()!, width, height);
        int at = 0;
        bool inside = false;
        foreach (JsonElement count in counts.EnumerateArray())
        {
            int run = count.GetInt32();
            if (run < 0 || run > pixels.Length - at) throw new MediaException("Run lengths cover more than the picture.");
            if (inside) for (int i = at; i < at + run; i++) pixels[i % height * width + i / height] = 1;
            (at, inside) = (at + run, !inside);
        }
        return at == pixels.Length ? new Mask(width, height, pixels) : throw new MediaException("Run lengths cover less than the picture.");
    }

    /// <summary>Pixels that are in any of the masks.</summary>
    public static Mask Union(int width, int height, IEnumerable<Mask> masks)
    {
        var pixels = new byte[width * height];
        foreach (Mask mask in masks)
        {
            if ((mask.Width, mask.Height) != (width, height))
                throw new MediaException($"A mask of {mask.Width}×{mask.Height} belongs to a picture of {width}×{height}.");
            ReadOnlySpan<byte> inside = mask.Pixels;
            for (int i = 0; i < pixels.Length; i++) pixels[i] |= inside[i];
        }
        return new Mask(width, height, pixels);
    }
}
