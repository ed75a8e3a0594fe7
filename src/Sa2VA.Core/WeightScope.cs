namespace Sa2VA.Core;

/// <summary>The weights whose names begin with a prefix: how network code spells checkpoint names once per level.</summary>
public readonly struct WeightScope(GraphBuilder graph, string prefix)
{
    /// <summary>The prefix, without a trailing dot.</summary>
    public string Prefix { get; } = prefix;

    /// <summary>The weights below <c>Prefix.name</c>.</summary>
    public WeightScope At(string name) => new(graph, Full(name));

    /// <summary>The weights below <c>Prefix.index</c>.</summary>
    public WeightScope At(int index) => At(index.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>A stored weight; an empty <paramref name="shape"/> accepts any.</summary>
    public Weight Get(string name, params ReadOnlySpan<int> shape) => graph.Weight(Full(name), shape);

    /// <summary>A stored table of any number of rows, <paramref name="rows"/> by config.json.</summary>
    public Weight Table(string name, int rows, int columns) => graph.Table(Full(name), rows, columns);

    /// <summary>True if the weight is stored.</summary>
    public bool Has(string name) => graph.HasWeight(Full(name));

    private string Full(string name) => Prefix.Length == 0 ? name : $"{Prefix}.{name}";
}
