using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Fields of one JSON object of config.json, each checked for kind and range; messages name the file and the field.</summary>
internal readonly struct ConfigFields(JsonElement element, string file, string path, (string Old, string New)[]? renamed = null)
{
    /// <summary>The same object with fields that newer versions of transformers write under another name; either is read.</summary>
    public ConfigFields Renamed(params (string Old, string New)[] names) => new(element, file, path, names);

    /// <summary>Names of the fields that are there and not null.</summary>
    public IEnumerable<string> Names => element.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null).Select(p => p.Name);

    /// <summary>True when a field is there and not null.</summary>
    public bool Has(string name) => Find(name, out _);

    /// <summary>The object below a field; null when it is absent.</summary>
    public ConfigFields? Object(string name)
    {
        if (!Find(name, out JsonElement e)) return null;
        if (e.ValueKind != JsonValueKind.Object) throw Bad(name, "is no object");
        return new ConfigFields(e, file, Full(name));
    }

    /// <summary>The object below a field that must be there.</summary>
    public ConfigFields RequiredObject(string name) => Object(name) ?? throw Bad(name, "is missing");

    /// <summary>A whole number in a range.</summary>
    /// <param name="name">Field.</param>
    /// <param name="min">Smallest value.</param>
    /// <param name="max">Largest value.</param>
    /// <param name="absent">Value when the field is absent or null; null makes it required.</param>
    public int Int(string name, int min, int max, int? absent = null)
    {
        if (!Find(name, out JsonElement e)) return absent ?? throw Bad(name, "is missing");
        if (e.ValueKind != JsonValueKind.Number || !e.TryGetInt32(out int value) || value < min || value > max)
            throw Bad(name, $"is {Excerpt(e)}, not a whole number from {min} to {max}");
        return value;
    }

    /// <summary>A whole number, or a list that says it once for the height and once for the width.</summary>
    public int Side(string name, int min, int max, int absent)
    {
        if (!Find(name, out JsonElement e) || e.ValueKind != JsonValueKind.Array) return Int(name, min, max, absent);
        IReadOnlyList<int> sides = Ints(name, min, max, 2, 2, []);
        return sides[0] == sides[1] ? sides[0] : throw Bad(name, $"is {Excerpt(e)}; only squares are supported");
    }

    /// <summary>A finite number in a range.</summary>
    public double Number(string name, double min, double max, double? absent = null)
    {
        if (!Find(name, out JsonElement e)) return absent ?? throw Bad(name, "is missing");
        if (e.ValueKind != JsonValueKind.Number || !e.TryGetDouble(out double value) || !(value >= min && value <= max))
            throw Bad(name, FormattableString.Invariant($"is {Excerpt(e)}, not a number from {min} to {max}"));
        return value;
    }

    /// <summary>True or false.</summary>
    public bool Flag(string name, bool absent)
    {
        if (!Find(name, out JsonElement e)) return absent;
        return e.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? e.GetBoolean()
            : throw Bad(name, $"is {Excerpt(e)}, not true or false");
    }

    /// <summary>A string; null when absent.</summary>
    public string? Text(string name)
    {
        if (!Find(name, out JsonElement e)) return null;
        return e.ValueKind == JsonValueKind.String ? e.GetString() : throw Bad(name, $"is {Excerpt(e)}, not a string");
    }

    /// <summary>The first string of a list; null when absent or empty.</summary>
    public string? FirstText(string name) => Texts(name) is [string first, ..] ? first : null;

    /// <summary>A list of strings; null when absent.</summary>
    public IReadOnlyList<string>? Texts(string name)
    {
        if (!Find(name, out JsonElement e)) return null;
        if (e.ValueKind != JsonValueKind.Array || e.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            throw Bad(name, $"is {Excerpt(e)}, not a list of strings");
        return [.. e.EnumerateArray().Select(item => item.GetString()!)];
    }

    /// <summary>A list of whole numbers.</summary>
    public IReadOnlyList<int> Ints(string name, int min, int max, int minCount, int maxCount, IReadOnlyList<int> absent)
    {
        if (!Find(name, out JsonElement e)) return absent;
        if (e.ValueKind != JsonValueKind.Array || e.GetArrayLength() < minCount || e.GetArrayLength() > maxCount)
            throw Bad(name, $"is {Excerpt(e)}, not a list of {(minCount == maxCount ? minCount : $"{minCount} to {maxCount}")} numbers");
        var values = new List<int>();
        foreach (JsonElement item in e.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int value) || value < min || value > max)
                throw Bad(name, $"holds {Excerpt(item)}, not a whole number from {min} to {max}");
            values.Add(value);
        }
        return values;
    }

    /// <summary>A list of numbers; null when absent.</summary>
    public IReadOnlyList<double>? Numbers(string name, int count) =>
        Find(name, out JsonElement e) ? NumbersOf(name, e, count) : null;

    /// <summary>A list of lists of numbers; empty when absent.</summary>
    public IReadOnlyList<IReadOnlyList<double>> NumberRows(string name, int count, int maxRows)
    {
        if (!Find(name, out JsonElement e)) return [];
        ConfigFields fields = this;
        return [.. Items(name, e, maxRows).Select(row => fields.NumbersOf(name, row, count))];
    }

    /// <summary>A list of objects; empty when absent.</summary>
    public IReadOnlyList<ConfigFields> Objects(string name, int maxCount)
    {
        if (!Find(name, out JsonElement e)) return [];
        var objects = new List<ConfigFields>();
        foreach (JsonElement item in Items(name, e, maxCount))
        {
            if (item.ValueKind != JsonValueKind.Object) throw Bad(name, $"holds {Excerpt(item)}, not an object");
            objects.Add(new ConfigFields(item, file, FormattableString.Invariant($"{Full(name)}[{objects.Count}]")));
        }
        return objects;
    }

    /// <summary>Refuses a field that upstream heeds and the engine does not, unless it has the one value that changes nothing.</summary>
    public void MustBe(string name, bool value)
    {
        if (Flag(name, value) != value) throw Bad(name, $"is {(value ? "false" : "true")}, which is not supported");
    }

    /// <summary>The error that a field is wrong.</summary>
    public CheckpointException Bad(string name, string why)
    {
        // The field is called as the file calls it.
        foreach ((string old, string newer) in renamed ?? [])
            if (old == name && !Stored(old, out _) && Stored(newer, out _)) name = newer;
        return new CheckpointException($"'{file}': {Full(name)} {why}.");
    }

    private IReadOnlyList<double> NumbersOf(string name, JsonElement e, int count)
    {
        List<double> values = [];
        foreach (JsonElement item in Items(name, e, count))
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetDouble(out double value) || !double.IsFinite(value))
                throw Bad(name, $"holds {Excerpt(item)}, not a number");
            values.Add(value);
        }
        return values.Count == count ? values : throw Bad(name, $"is {Excerpt(e)}, not a list of {count} numbers");
    }

    private IEnumerable<JsonElement> Items(string name, JsonElement e, int maxCount) =>
        e.ValueKind == JsonValueKind.Array && e.GetArrayLength() <= maxCount
            ? e.EnumerateArray()
            : throw Bad(name, $"is {Excerpt(e)}, not a list of at most {maxCount}");

    private bool Find(string name, out JsonElement e)
    {
        bool found = Stored(name, out e);
        foreach ((string old, string newer) in renamed ?? [])
        {
            if (old != name || !Stored(newer, out JsonElement other)) continue;
            if (found && !JsonElement.DeepEquals(e, other))
                throw Bad(old, $"is {Excerpt(e)}, but {newer}, the newer name of the same setting, is {Excerpt(other)}; keep the "
                    + "right one");
            e = other;
            return true;
        }
        return found;
    }

    private bool Stored(string name, out JsonElement e) => element.TryGetProperty(name, out e) && e.ValueKind != JsonValueKind.Null;

    private string Full(string name) => path.Length == 0 ? name : $"{path}.{name}";

    private static string Excerpt(JsonElement e)
    {
        string raw = e.GetRawText();
        return raw.Length <= 40 ? raw : raw[..40] + "…";
    }
}
