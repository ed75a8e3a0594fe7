using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Sa2VA.Core;

/// <summary>
/// Records a network. Every op is an extension method in <c>Ops/</c> that checks its operands and infers the result's shape and type, so a
/// wrong checkpoint or a wrong wiring fails here, with the op's and the tensor's name, and not while running.
/// </summary>
public sealed class GraphBuilder(string name, IWeightSource weights)
{
    private readonly List<Op> _ops = [];
    private readonly List<Tensor> _inputs = [];
    private readonly List<Tensor> _outputs = [];
    private readonly List<RuntimeScalar> _scalars = [];
    private readonly List<Tensor> _lists = [];
    private int _floatScopes, _leastBits = 16;
    private bool _built;

    /// <summary>Name for messages.</summary>
    public string Name { get; } = name;

    /// <summary>Where <see cref="Weight"/> looks names up.</summary>
    public IWeightSource Weights { get; } = weights;

    /// <summary>The weights below a name prefix; "" for all.</summary>
    public WeightScope At(string prefix) => new(this, prefix);

    /// <summary>True if the source has the tensor.</summary>
    public bool HasWeight(string name) => Weights.TryDescribe(name, out _);

    /// <summary>A stored weight; an empty <paramref name="shape"/> accepts any.</summary>
    /// <exception cref="CheckpointException">Missing, misshapen, or no floating-point type.</exception>
    public Weight Weight(string name, params ReadOnlySpan<int> shape)
    {
        if (!(shape.Length > 0 ? Weights.TryDescribe(name, new Shape(shape), out WeightInfo info) : Weights.TryDescribe(name, out info)))
            throw new CheckpointException(
                $"The checkpoint lacks tensor '{name}', which {Name} needs. `sa2va inspect` lists all that is missing.");
        if (!info.Type.IsFloat())
            throw new CheckpointException($"Tensor '{name}' is stored as {info.Type}; {Name} needs F32, F16 or BF16.");
        if (shape.Length > 0 && info.Shape != new Shape(shape))
            throw new CheckpointException($"Tensor '{name}' has shape {info.Shape}; {Name} needs {new Shape(shape)} by config.json.");
        return new Weight(Weights, info, info.Shape, null) { LeastBits = _leastBits };
    }

    /// <summary>A stored table of any number of rows: the stored one decides.</summary>
    /// <param name="name">Name.</param>
    /// <param name="rows">Rows by config.json, which may be out of date.</param>
    /// <param name="columns">Columns; checked.</param>
    /// <exception cref="CheckpointException">Missing, of another width, or no floating-point type.</exception>
    public Weight Table(string name, int rows, int columns)
    {
        if (Weights.TryDescribe(name, new Shape(rows, columns), out WeightInfo info) && info.Shape.Rank == 2 && info.Shape.Last == columns)
            rows = info.Shape[0];
        return Weight(name, rows, columns);
    }

    /// <summary>A length that each run sets.</summary>
    /// <param name="name">Name within this graph.</param>
    /// <param name="max">Largest value, at least 1.</param>
    public RuntimeScalar Scalar(string name, int max)
    {
        if (max < 1) throw new GraphException($"{Name}: scalar '{name}' needs a capacity of at least 1, not {max}.");
        var scalar = new RuntimeScalar(name, max, _scalars.Count);
        _scalars.Add(scalar);
        return scalar;
    }

    /// <summary>A length that follows from others: <paramref name="plus"/> and the sum of <paramref name="terms"/>.</summary>
    /// <param name="name">Name within this graph.</param>
    /// <param name="max">Largest value; a run that would exceed it is refused.</param>
    /// <param name="plus">A constant, at least 0.</param>
    /// <param name="terms">Scalars of this graph, or multiples of them.</param>
    public RuntimeScalar Sum(string name, int max, int plus, params ReadOnlySpan<ScalarTerm> terms)
    {
        bool known = terms.Length > 0 && plus >= 0;
        foreach (ScalarTerm term in terms)
            known &= term.Factor >= 1 && term.Scalar.Index < _scalars.Count && _scalars[term.Scalar.Index] == term.Scalar;
        if (max < 1 || !known) throw new GraphException($"{Name}: scalar '{name}' is no sum of scalars of this graph up to {max}.");
        var scalar = new RuntimeScalar(name, max, _scalars.Count, plus, terms.ToArray());
        _scalars.Add(scalar);
        return scalar;
    }

    /// <summary>
    /// Integers that each run sets: rows to write, positions, lengths, pages. They travel with the run as scalars do, so that they may
    /// change while earlier runs are still enqueued, and are checked before it is enqueued.
    /// </summary>
    /// <param name="name">Name within this graph.</param>
    /// <param name="shape">Extents.</param>
    /// <param name="range">What the values may be.</param>
    /// <param name="length">Run-time extent of axis 0.</param>
    /// <returns>I32.</returns>
    public Tensor List(string name, Shape shape, IndexRange range, RuntimeScalar? length = null)
    {
        if (range.End <= range.Least || shape.Count > int.MaxValue)
            throw new GraphException($"{Name}: list '{name}' {shape} can have no values from {range.Least} to below {range.End}.");
        if (length is not null && length.Max > shape[0])
            throw new GraphException($"{Name}: list '{name}' {shape} is too small for {length}.");
        var list = new Tensor(name, DType.I32, shape, TensorKind.List, length, range);
        _lists.Add(list);
        return list;
    }

    /// <summary>A tensor that the caller binds and the plan only reads.</summary>
    public Tensor Input(string name, DType type, Shape shape, RuntimeScalar? length = null) =>
        Bound(name, type, shape, TensorKind.Input, length);

    /// <summary>A tensor that the caller binds and ops write in place.</summary>
    public Tensor State(string name, DType type, Shape shape, RuntimeScalar? length = null) =>
        Bound(name, type, shape, TensorKind.State, length);

    /// <summary>
    /// A constant that is computed: nothing is computed while recording. A backend calls <paramref name="fill"/> when it compiles the first
    /// plan that uses a constant of this key, weights and shape, and gives the same memory to all others.
    /// </summary>
    /// <param name="key">
    /// What the values are: the function and every parameter that they depend on. Different values must never have one key.
    /// </param>
    /// <param name="shape">Extents, at most 2^31 − 1 elements.</param>
    /// <param name="fill">Writes all values; the same ones whenever it is called.</param>
    /// <param name="from">Stored weights that the values depend on.</param>
    public Tensor Constant(string key, Shape shape, ConstantFill fill, params ReadOnlySpan<Weight> from)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentNullException.ThrowIfNull(fill);
        if (shape.Count > Array.MaxLength) throw new GraphException($"{Name}: constant '{key}' {shape} is too large.");
        foreach (Weight weight in from) key += $" of '{weight.Name}'";
        var data = new ConstantData(key, from.Length == 0 ? null : from[0].Source, fill);
        return new Tensor(key, DType.F32, shape, TensorKind.Constant, null) { Data = data };
    }

    /// <summary>
    /// A constant of values at hand, which the graph refers to and which must not change: known by what they are, not by the name.
    /// </summary>
    public Tensor Constant(string name, Shape shape, float[] values)
    {
        if (values.LongLength != shape.Count)
            throw new GraphException($"{Name}: constant '{name}' {shape} got {values.LongLength} values.");
        string key = $"values {Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<float>(values)))}";
        var data = new ConstantData(key, null, to => values.CopyTo(to));
        return new Tensor(name, DType.F32, shape, TensorKind.Constant, null) { Data = data };
    }

    /// <summary>
    /// A constant that is a stored weight, widened to F32, seen as <paramref name="shape"/> (the stored shape if absent).
    /// </summary>
    public Tensor Constant(Weight weight, Shape? shape = null)
    {
        Shape s = shape ?? weight.Shape;
        if (s.Count != weight.Shape.Count) throw new GraphException($"{Name}: weight {weight} cannot be seen as {s}.");
        return new Tensor(weight.Name, DType.F32, s, TensorKind.Constant, null) { Data = new ConstantData(weight) };
    }

    /// <summary>
    /// Until the scope ends, what is recorded stays F32 where <see cref="StoragePolicy"/> would narrow it, and its matrices are not
    /// rounded: its digits decide something that no reader tells of, or its numbers are few.
    /// </summary>
    public FloatScope KeepFloat() => new(this);

    /// <summary>
    /// Until the scope ends, matrices of linear layers may be stored in as few bits as this, where the backend's precision has so few.
    /// </summary>
    /// <param name="least">8 or 4.</param>
    public BitsScope AllowWeightBits(int least) => new(this, least);

    /// <summary>Marks a tensor as a result: each run writes it into a bound buffer. Returns the tensor to bind.</summary>
    public Tensor Output(string name, Tensor tensor)
    {
        // A result must own its storage: anything that is a view of something else, or is bound already, is copied.
        bool ownsStorage = tensor.Root.Kind == TensorKind.Intermediate && tensor.Offset == 0 && tensor.IsContiguous
            && tensor.Shape.Count == tensor.Root.Shape.Count && !_outputs.Exists(o => o.Root == tensor.Root);
        Tensor output = ownsStorage ? tensor : this.Copy(tensor);
        Tensor named = output.View(name, output.Shape, output.Length, 0, output.RowStride);
        _outputs.Add(named);
        return named;
    }

    /// <summary>Ends recording.</summary>
    public Graph Build()
    {
        if (_built) throw new GraphException($"{Name} is built already.");
        if (_outputs.Count == 0 && !_ops.Exists(o => o.Output.Kind == TensorKind.State))
            throw new GraphException($"{Name} has no output and writes no state.");
        _built = true;
        return new Graph(Name, _ops, _inputs, _outputs, new GraphNumbers(_scalars, _lists));
    }

    /// <summary>Appends an op whose result is a new tensor.</summary>
    internal Tensor Record(Op op, DType type, Shape shape, RuntimeScalar? length, string? name = null)
    {
        op.Name = name ?? NextName(op);
        op.Output = new Tensor(op.Name, type, shape, TensorKind.Intermediate, length) { KeepsFloat = _floatScopes > 0 };
        _ops.Add(op);
        return op.Output;
    }

    /// <summary>Appends an op that writes into an existing state.</summary>
    internal void RecordInPlace(Op op, Tensor state)
    {
        op.Name = NextName(op);
        op.Output = state;
        _ops.Add(op);
    }

    internal GraphException Error(string op, string message) => new($"{Name}, {op}#{_ops.Count}: {message}");

    private string NextName(Op op) => $"{op.GetType().Name}#{_ops.Count}";

    private Tensor Bound(string name, DType type, Shape shape, TensorKind kind, RuntimeScalar? length)
    {
        if (_inputs.Exists(i => i.Name == name)) throw new GraphException($"{Name} has two inputs named '{name}'.");
        if (length is not null && length.Max > shape[0])
            throw new GraphException($"{Name}: input '{name}' {shape} is too small for {length}.");
        var tensor = new Tensor(name, type, shape, kind, length);
        _inputs.Add(tensor);
        return tensor;
    }

    /// <summary>What <see cref="KeepFloat"/> begins.</summary>
    public readonly struct FloatScope : IDisposable
    {
        private readonly GraphBuilder _graph;

        internal FloatScope(GraphBuilder graph)
        {
            _graph = graph;
            graph._floatScopes++;
        }

        /// <summary>Ends it.</summary>
        public void Dispose() => _graph._floatScopes--;
    }

    /// <summary>What <see cref="AllowWeightBits"/> begins.</summary>
    public readonly struct BitsScope : IDisposable
    {
        private readonly GraphBuilder _graph;
        private readonly int _before;

        internal BitsScope(GraphBuilder graph, int least)
        {
            if (least is not (8 or 4)) throw new GraphException($"{graph.Name}: weights have 8 or 4 bits, not {least}.");
            (_graph, _before, graph._leastBits) = (graph, graph._leastBits, least);
        }

        /// <summary>Ends it.</summary>
        public void Dispose() => _graph._leastBits = _before;
    }
}
