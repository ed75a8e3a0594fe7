namespace Sa2VA.Core;

/// <summary>Where a tensor's elements live while a plan runs.</summary>
public enum TensorKind
{
    /// <summary>Bound by the caller before each run; read only.</summary>
    Input,
    /// <summary>Bound by the caller and written in place: a KV cache, a memory bank.</summary>
    State,
    /// <summary>Integers that travel with each run, as scalars do (<see cref="GraphBuilder.List"/>).</summary>
    List,
    /// <summary>Fixed when the plan is compiled.</summary>
    Constant,
    /// <summary>Lives in the plan's arena between its first and last use, or in a bound buffer if it is an output.</summary>
    Intermediate,
}

/// <summary>
/// A value of a graph: shape and type are known when it is recorded. It may be a view of another tensor's storage: <see cref="Offset"/>
/// elements in, with <see cref="RowStride"/> elements from one row (last axis) to the next.
/// </summary>
public sealed class Tensor
{
    private readonly IndexRange? _range;
    private readonly bool _isZOrdered;

    internal Tensor(string name, DType type, Shape shape, TensorKind kind, RuntimeScalar? length, IndexRange? range = null)
    {
        _range = range;
        (Name, Type, Shape, Kind, Length) = (name, type, shape, kind, length);
        Root = this;
        RowStride = shape.Last;
    }

    private Tensor(Tensor root, string name, Shape shape, RuntimeScalar? length, long offset, int rowStride)
    {
        (Name, Type, Shape, Kind, Length) = (name, root.Type, shape, root.Kind, length);
        (Root, Offset, RowStride) = (root, offset, rowStride);
    }

    /// <summary>Name for messages.</summary>
    public string Name { get; }

    /// <summary>Element type.</summary>
    public DType Type { get; }

    /// <summary>Extents; the first one is a capacity when <see cref="Length"/> is set.</summary>
    public Shape Shape { get; }

    /// <summary>Where the elements live.</summary>
    public TensorKind Kind { get; }

    /// <summary>The run-time extent of axis 0, or null when it is always <c>Shape[0]</c>.</summary>
    public RuntimeScalar? Length { get; }

    /// <summary>The tensor that owns the storage; itself when this is no view.</summary>
    public Tensor Root { get; }

    /// <summary>Elements between the root's first element and this view's.</summary>
    public long Offset { get; }

    /// <summary>Elements from one row (all axes but the last, flattened) to the next; at least <c>Shape.Last</c>.</summary>
    public int RowStride { get; }

    /// <summary>True when rows follow each other without gaps.</summary>
    public bool IsContiguous => RowStride == Shape.Last || Shape.Rows == 1;

    /// <summary>What the values of a list are; null for other kinds.</summary>
    public IndexRange? Range => Root._range;

    /// <summary>Where a list's values begin in <see cref="BoundPlan.Numbers"/>, once the graph is built.</summary>
    public int BlockOffset { get; internal set; }

    /// <summary>What a constant's values are; null for other kinds.</summary>
    public ConstantData? Data { get; internal init; }

    /// <summary>
    /// True if a backend stores it as F32 whoever reads it, and computes it with weights as they are stored
    /// (<see cref="GraphBuilder.KeepFloat"/>).
    /// </summary>
    public bool KeepsFloat { get; internal init; }

    /// <summary>
    /// True for a map [H, W, C] whose rows are in <see cref="ZOrder"/>: what a backend may choose for intermediates. No network knows
    /// of it.
    /// </summary>
    public bool IsZOrdered
    {
        get => Root._isZOrdered;
        internal init => _isZOrdered = value;
    }

    /// <summary>Rows of the flattened [rows, last] form that one step of axis 0 covers.</summary>
    public long RowsPerStep => Shape.Rank == 1 ? 1 : Shape.Rows / Shape[0];

    /// <summary>A list's values in a run's block; empty where they are on the device and cannot be looked at.</summary>
    internal ReadOnlySpan<int> ValuesIn(ReadOnlySpan<int> block) =>
        Kind == TensorKind.List ? block.Slice(Root.BlockOffset + (int)Offset, (int)Shape.Count) : [];

    /// <summary>False if this is a list whose values may leave least…end − 1; what is on the device is looked at there.</summary>
    internal bool IsWithin(int least, long end) => Range is not { } range || (range.Least >= least && range.End <= end);

    /// <summary>True if this is a list I32 [n] with one element for each row of <paramref name="x"/>.</summary>
    internal bool ListsRowsOf(Tensor x) => Type == DType.I32 && Shape.Rank == 1 && Shape[0] == x.Shape.Rows && Length == x.Length
        && (Length is null || x.RowsPerStep == 1);

    /// <summary>True if the other one is of the same elements in the same shape.</summary>
    internal bool Covers(Tensor other) =>
        (Root, Offset, RowStride, Shape, Length) == (other.Root, other.Offset, other.RowStride, other.Shape, other.Length);

    internal Tensor View(string name, Shape shape, RuntimeScalar? length, long offset, int rowStride) =>
        new(Root, name, shape, length, Offset + offset, rowStride);

    /// <inheritdoc/>
    public override string ToString() => $"'{Name}' {Type} {Shape}";
}

/// <summary>What the integers of a list may be.</summary>
/// <param name="Least">Smallest value, which places that are not given have.</param>
/// <param name="End">Behind the largest value.</param>
public readonly record struct IndexRange(int Least, int End);
