using System.Runtime.InteropServices;
using System.Text;

namespace Sa2VA.Peers;

/// <summary>
/// An ONNX model, written node by node: the protocol buffers by hand, the weights in a file beside it. A value is named by what its node
/// returns.
/// </summary>
internal sealed class OnnxGraph : IDisposable
{
    private const int Float = 1, Integer = 7;

    private readonly string _file;
    private readonly FileStream _weights;
    private readonly MemoryStream _graph = new();
    private int _names;

    /// <param name="file">The model's file; its weights go to the same name with <c>.weights</c> behind it.</param>
    public OnnxGraph(string file)
    {
        _file = file;
        _weights = File.Create(file + ".weights");
        Message(_graph, 2, Text("g"));
    }

    /// <summary>Declares an input of floats.</summary>
    public string Input(string name, params ReadOnlySpan<int> shape)
    {
        Message(_graph, 11, Value(name, shape));
        return name;
    }

    /// <summary>Declares an output of floats.</summary>
    public void Output(string name, params ReadOnlySpan<int> shape) => Message(_graph, 12, Value(name, shape));

    /// <summary>A weight.</summary>
    public string Weight(float[] values, params ReadOnlySpan<int> shape) => Stored(MemoryMarshal.AsBytes<float>(values), Float, shape);

    /// <summary>A list of integers: a shape, positions, lengths.</summary>
    public string Integers(params long[] values) => Stored(MemoryMarshal.AsBytes<long>(values), Integer, [values.Length]);

    /// <summary>A node with one result.</summary>
    public string Node(string op, string[] inputs, params ReadOnlySpan<(string Name, object Value)> attributes) =>
        Node(op, inputs, 1, "", attributes)[0];

    /// <summary>A node.</summary>
    public string[] Node(string op, string[] inputs, int results, string domain,
        params ReadOnlySpan<(string Name, object Value)> attributes)
    {
        string[] outputs = [.. Enumerable.Range(0, results).Select(_ => Name())];
        var node = new MemoryStream();
        foreach (string input in inputs) Message(node, 1, Text(input));
        foreach (string output in outputs) Message(node, 2, Text(output));
        Message(node, 4, Text(op));
        foreach ((string name, object value) in attributes) Message(node, 5, Attribute(name, value));
        if (domain.Length > 0) Message(node, 7, Text(domain));
        Message(_graph, 1, node.ToArray());
        return outputs;
    }

    /// <summary>Writes the model.</summary>
    public void Save()
    {
        _weights.Flush();
        using FileStream file = File.Create(_file);
        const int Representation = 9, Operators = 20;
        Number(file, 1, Representation);
        Message(file, 7, _graph.ToArray());
        Message(file, 8, Built(m => Number(m, 2, Operators)));
        Message(file, 8, Built(m =>
        {
            Message(m, 1, Text(Microsoft));
            Number(m, 2, 1);
        }));
    }

    /// <summary>The domain of ONNX Runtime's own operators.</summary>
    public const string Microsoft = "com.microsoft";

    public void Dispose() => _weights.Dispose();

    private string Name() => $"v{_names++}";

    private string Stored(ReadOnlySpan<byte> bytes, int type, ReadOnlySpan<int> shape)
    {
        string name = Name();
        var tensor = new MemoryStream();
        foreach (int extent in shape) Number(tensor, 1, extent);
        Number(tensor, 2, type);
        Message(tensor, 8, Text(name));
        if (type == Integer) Message(tensor, 9, bytes.ToArray());
        else
        {
            const int Alignment = 64, Elsewhere = 1;
            _weights.Position = (_weights.Length + Alignment - 1) / Alignment * Alignment;
            Entry("location", Path.GetFileName(_weights.Name));
            Entry("offset", _weights.Position.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Entry("length", bytes.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
            _weights.Write(bytes);
            Number(tensor, 14, Elsewhere);
        }
        Message(_graph, 5, tensor.ToArray());
        return name;

        void Entry(string key, string value) => Message(tensor, 13, Built(m =>
        {
            Message(m, 1, Text(key));
            Message(m, 2, Text(value));
        }));
    }

    private static byte[] Value(string name, ReadOnlySpan<int> shape)
    {
        var dimensions = new MemoryStream();
        foreach (int extent in shape) Message(dimensions, 1, Built(m => Number(m, 1, extent)));
        byte[] tensor = Built(m =>
        {
            Number(m, 1, Float);
            Message(m, 2, dimensions.ToArray());
        });
        return Built(m =>
        {
            Message(m, 1, Text(name));
            Message(m, 2, Built(t => Message(t, 1, tensor)));
        });
    }

    private static byte[] Attribute(string name, object value) => Built(m =>
    {
        const int OneFloat = 1, OneInteger = 2, String = 3, Integers = 7;
        Message(m, 1, Text(name));
        switch (value)
        {
            case float f:
                Tag(m, 2, 5);
                m.Write(BitConverter.GetBytes(f));
                Number(m, 20, OneFloat);
                break;
            case int i:
                Number(m, 3, i);
                Number(m, 20, OneInteger);
                break;
            case string s:
                Message(m, 4, Text(s));
                Number(m, 20, String);
                break;
            case int[] list:
                foreach (int i in list) Number(m, 8, i);
                Number(m, 20, Integers);
                break;
            default: throw new ArgumentException($"No attribute is made of {value.GetType()}.", nameof(value));
        }
    });

    private static byte[] Built(Action<MemoryStream> write)
    {
        var message = new MemoryStream();
        write(message);
        return message.ToArray();
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);

    private static void Message(Stream to, int field, byte[] content)
    {
        Tag(to, field, 2);
        Variable(to, content.Length);
        to.Write(content);
    }

    private static void Number(Stream to, int field, long value)
    {
        Tag(to, field, 0);
        Variable(to, value);
    }

    private static void Tag(Stream to, int field, int kind) => Variable(to, field << 3 | kind);

    private static void Variable(Stream to, long value)
    {
        ulong left = (ulong)value;
        for (; left >= 0x80; left >>= 7) to.WriteByte((byte)(left | 0x80));
        to.WriteByte((byte)left);
    }
}
