using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>
/// A recorded computation (docs/model/verification.md#golden-files): a safetensors file with inputs <c>in.*</c>, perhaps weights
/// <c>w.*</c>, and expected outputs <c>out.*</c>. Opening reads the header; tensors are read when asked for.
/// </summary>
public sealed class GoldenFile : IDisposable
{
    /// <summary>Value of the metadata field <c>format</c>.</summary>
    public const string Format = "sa2va-golden/1";

    private const string InPrefix = "in.", OutPrefix = "out.", WeightPrefix = "w.";

    /// <summary>Most elements of a tensor that a formula makes; a full-size video of the specification has 22 million.</summary>
    private const long MaxFormulaCount = 1 << 28;

    private readonly SafetensorsFile _file;
    private readonly JsonElement _params;

    /// <summary>Opens a golden file.</summary>
    /// <exception cref="CheckpointException">It cannot be read, or it is no golden file.</exception>
    public GoldenFile(string path)
    {
        Path = path;
        _file = new SafetensorsFile(path);
        try
        {
            string format = Meta("format");
            if (format != Format) throw Bad($"has the format '{format}'; '{Format}' is read");
            (Stage, Model, Prefix, Note) = (Meta("stage"), Meta("model"), Meta("prefix"), Meta("note"));
            if (Stage.Length == 0) throw Bad("names no stage");
            _params = ParseParams();
            Params = new ConfigFields(_params, path, "params");
            OutputNames = [.. _file.Entries.Where(e => Starts(e, OutPrefix)).Select(e => e.Name[OutPrefix.Length..])
                .Order(StringComparer.Ordinal)];
            if (OutputNames.Count == 0) throw Bad("expects no output");
            HasWeights = _file.Entries.Any(e => Starts(e, WeightPrefix));
            Weights = new GoldenWeights(_file, WeightPrefix);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>True if the file at a path says that it is a golden file; false for other safetensors files.</summary>
    /// <exception cref="CheckpointException">It is no readable safetensors file.</exception>
    public static bool IsGolden(string path)
    {
        using var file = new SafetensorsFile(path);
        return file.Metadata.TryGetValue("format", out string? format) && format == Format;
    }

    /// <summary>Path as given.</summary>
    public string Path { get; }

    /// <summary>What is computed, such as <c>op.linear</c>.</summary>
    public string Stage { get; }

    /// <summary>Folder name of the checkpoint, <c>synthetic:PRESET</c>, or empty when the weights are inside.</summary>
    public string Model { get; }

    /// <summary>What precedes weight names in the checkpoint when the stage is a block.</summary>
    public string Prefix { get; }

    /// <summary>Remark of the recorder.</summary>
    public string Note { get; }

    /// <summary>Names of the expected outputs, without <c>out.</c>.</summary>
    public IReadOnlyList<string> OutputNames { get; }

    /// <summary>True when weights are inside.</summary>
    public bool HasWeights { get; }

    /// <summary>The weights inside, by their names without <c>w.</c>.</summary>
    public IWeightSource Weights { get; }

    internal ConfigFields Params { get; }

    /// <summary>True if the file gives an input, stored or by formula.</summary>
    public bool HasInput(string name) => _file.Contains(InPrefix + name) || Formula(name) is not null;

    /// <summary>An input, stored or computed by its formula (docs/model/synthetic.md#inputs-by-formula).</summary>
    /// <exception cref="CheckpointException">Missing, or malformed.</exception>
    public GoldenTensor Input(string name)
    {
        if (_file.Contains(InPrefix + name)) return Read(InPrefix + name);
        return Formula(name) is { } formula ? Compute(InPrefix + name, formula) : throw Bad($"has no input '{name}'");
    }

    /// <summary>An expected output as stored, perhaps a part of the whole.</summary>
    /// <exception cref="CheckpointException">Missing, malformed, or with values that are not finite.</exception>
    public GoldenTensor Output(string name)
    {
        GoldenTensor tensor = Read(OutPrefix + name);
        if (tensor.IsFloat && !Array.TrueForAll(tensor.Floats, float.IsFinite))
            throw Bad($"expects values of '{name}' that are not finite");
        return tensor;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>Which elements of an output are stored.</summary>
    internal OutputSampling Sampling(string name) => OutputSampling.Read(Params, _params, OutPrefix + name);

    internal CheckpointException Bad(string why) => new($"'{Path}' is no usable golden file: it {why}.");

    private static bool Starts(SafetensorsEntry entry, string prefix) => entry.Name.StartsWith(prefix, StringComparison.Ordinal);

    private string Meta(string key) => _file.Metadata.TryGetValue(key, out string? value) ? value : "";

    private JsonElement ParseParams()
    {
        string json = Meta("params");
        try
        {
            using JsonDocument document = JsonDocument.Parse(json.Length == 0 ? "{}" : json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw Bad("has params that are no JSON object");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"'{Path}' is no usable golden file: its params are not valid JSON: {e.Message}", e);
        }
    }

    private ConfigFields? Formula(string name) => Params.Object("in_formula")?.Object(InPrefix + name);

    private unsafe GoldenTensor Read(string name)
    {
        SafetensorsEntry entry = _file.Entries.FirstOrDefault(e => e.Name == name) ?? throw Bad($"has no tensor '{name}'");
        string what = $"Tensor '{name}' in '{Path}'";
        // Such as the grids of a prompt without pictures.
        if (entry.Dims.Contains(0))
        {
            int[] none = [.. entry.Dims.Select(d => (int)Math.Min(d, int.MaxValue))];
            return entry.TypeName == "F32" ? new GoldenTensor(what, none, [], null) : new GoldenTensor(what, none, null, []);
        }
        using WeightData data = _file.Open(name);
        int[] dims = data.Info.Shape.ToArray();
        long count = data.Info.Shape.Count;
        if (data.Info.Type == DType.F32)
            return new GoldenTensor(what, dims, new ReadOnlySpan<float>(data.Pointer, checked((int)count)).ToArray(), null);
        var values = new long[count];
        for (long i = 0; i < count; i++)
            values[i] = data.Info.Type switch
            {
                DType.I64 => ((long*)data.Pointer)[i],
                DType.I32 => ((int*)data.Pointer)[i],
                DType.U8 or DType.Bool => data.Pointer[i],
                _ => throw Bad($"stores '{name}' as {data.Info.Type}; F32, I64, I32, U8 and BOOL are read"),
            };
        return new GoldenTensor(what, dims, null, values);
    }

    private GoldenTensor Compute(string name, ConfigFields formula)
    {
        string stream = formula.Text("name") ?? throw formula.Bad("name", "is missing");
        int[] dims = [.. formula.Ints("shape", 1, 1 << 24, 1, Shape.MaxRank, [])];
        if (dims.Length == 0) throw formula.Bad("shape", "is missing");
        float scale = (float)formula.Number("scale", -1e6, 1e6, 1);
        int repeat = formula.Int("repeat", 1, 4096, 1);
        if (repeat > 1 && dims.Length < 2) throw formula.Bad("repeat", "needs two dimensions");
        long count = 1;
        for (int i = 0; i < dims.Length; i++)
            if ((count *= dims[i] * (i >= dims.Length - 2 ? (long)repeat : 1)) > MaxFormulaCount)
                throw formula.Bad("shape", $"asks for more than {MaxFormulaCount} elements");
        int[] whole = [.. dims];
        if (repeat > 1) (whole[^2], whole[^1]) = (dims[^2] * repeat, dims[^1] * repeat);

        var numbers = new SyntheticStream(stream);
        var values = new float[count];
        int width = whole[^1], height = whole.Length > 1 ? whole[^2] : 1, blockWidth = width / repeat,
            blockHeight = height / (whole.Length > 1 ? repeat : 1);
        for (long i = 0; i < count; i++)
        {
            long x = i % width / repeat, y = i / width % height / repeat, map = i / ((long)width * height);
            values[i] = numbers[(map * blockHeight + y) * blockWidth + x] * scale;
        }
        return new GoldenTensor($"Input '{name}' of '{Path}'", whole, values, null);
    }
}

/// <summary>The tensors of a file whose names begin with a prefix, by the rest of their names.</summary>
internal sealed class GoldenWeights(SafetensorsFile file, string prefix) : IWeightSource
{
    public bool TryDescribe(string name, out WeightInfo info)
    {
        if (!file.TryDescribe(prefix + name, out info)) return false;
        info = info with { Name = name };
        return true;
    }

    public WeightData Open(string name) => file.Open(prefix + name);
}
