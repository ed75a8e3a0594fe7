using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Objects that step on one frame in one run: their rows stand under each other, their maps have an axis in front. A run uses as many as
/// there are, and computes nothing for the others.
/// </summary>
internal sealed class ObjectBatch
{
    private readonly Dictionary<int, RuntimeScalar> _rows = [];

    /// <param name="g">Graph.</param>
    /// <param name="capacity">Most objects.</param>
    public ObjectBatch(GraphBuilder g, int capacity) => (Capacity, Count) = (capacity, g.Scalar("objects", capacity));

    private ObjectBatch() => Capacity = 1;

    /// <summary>One object, always.</summary>
    public static ObjectBatch One { get; } = new();

    /// <summary>Most objects.</summary>
    public int Capacity { get; }

    /// <summary>How many there are; null for one.</summary>
    public RuntimeScalar? Count { get; }

    /// <summary>Run-time length of what has a number of rows for each object.</summary>
    public RuntimeScalar? Rows(GraphBuilder g, int each)
    {
        if (Count is null) return null;
        if (!_rows.TryGetValue(each, out RuntimeScalar? rows))
            _rows.Add(each, rows = g.Sum($"rows of {each} each", Capacity * each, 0, new ScalarTerm(Count, each)));
        return rows;
    }

    /// <summary>Records [n, C], which is the frame's or the same for all, as each object's: [objects·n, C].</summary>
    public Tensor ForEach(GraphBuilder g, Tensor x) => Count is null ? x : g.Repeat(x, Capacity, Rows(g, x.Shape[0]));

    /// <summary>Rows [objects·h·w, C] as maps [objects, h, w, C].</summary>
    public Tensor Maps(GraphBuilder g, Tensor x, int height, int width) =>
        g.Reshape(x, new Shape(Capacity, height, width, x.Shape.Last), Count);

    /// <summary>
    /// Some neighbouring rows of each object's: of [objects·n, C], n being <paramref name="each"/>, a view [objects, count·C]; of the rows
    /// of one object, whose number may be a run-time length, [count, C].
    /// </summary>
    public Tensor Slice(GraphBuilder g, Tensor x, int each, int first, int count)
    {
        int width = x.Shape.Last;
        return Count is null
            ? g.SliceRows(x, first, count)
            : g.SliceChannels(g.Reshape(x, new Shape(Capacity, each * width), Count), first * width, count * width);
    }
}
