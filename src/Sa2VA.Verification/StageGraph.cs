using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>A graph whose inputs are a golden file's and whose outputs are compared with it; most stages are nothing more.</summary>
internal sealed class StageGraph(StageContext context)
{
    private readonly List<(Tensor Tensor, float[] Values)> _inputs = [];
    private readonly List<(RuntimeScalar Scalar, int Value)> _lengths = [];
    private readonly List<(string Name, Tensor Tensor, int[]? Dims)> _outputs = [];

    /// <summary>Where ops are recorded.</summary>
    public GraphBuilder Builder { get; } = context.Graph();

    /// <summary>The weights below the golden file's prefix.</summary>
    public WeightScope Weights => context.Scope(Builder);

    /// <summary>An input as it is stored.</summary>
    public Tensor Rows(string name)
    {
        GoldenTensor input = context.In(name);
        return Input(name, input.Shape, input.Floats);
    }

    /// <summary>An input that is stored as [C, h, w], as [h, w, C].</summary>
    public Tensor Map(string name)
    {
        (Shape shape, float[] values) = ChannelsFirst.ToEngine(context.In(name));
        return Input(name, shape, values);
    }

    /// <summary>An input with values of the stage's own.</summary>
    public Tensor Input(string name, Shape shape, float[] values)
    {
        Tensor tensor = Builder.Input(name, DType.F32, shape);
        _inputs.Add((tensor, values));
        return tensor;
    }

    /// <summary>A length with its value.</summary>
    public RuntimeScalar Length(string name, int value)
    {
        RuntimeScalar scalar = Builder.Scalar(name, Math.Max(1, value));
        _lengths.Add((scalar, value));
        return scalar;
    }

    /// <summary>An output that the golden file holds in the tensor's own order; extents if they are spelled otherwise.</summary>
    public StageGraph Out(string name, Tensor tensor, params int[] dims)
    {
        _outputs.Add((name, Builder.Output(name, tensor), dims.Length == 0 ? tensor.Shape.ToArray() : dims));
        return this;
    }

    /// <summary>An output [h, w, C] that the golden file holds as [C, h, w].</summary>
    public StageGraph OutMap(string name, Tensor tensor)
    {
        _outputs.Add((name, Builder.Output(name, tensor), null));
        return this;
    }

    /// <summary>Compiles, runs, and reads the outputs.</summary>
    public StageOutputs Run()
    {
        using var run = new GraphRun(context, Builder.Build());
        foreach ((Tensor tensor, float[] values) in _inputs) run.Write(tensor, values);
        foreach ((RuntimeScalar scalar, int value) in _lengths) run.Set(scalar, value);
        run.Execute();
        var outputs = new StageOutputs();
        foreach ((string name, Tensor tensor, int[]? dims) in _outputs)
        {
            Shape s = tensor.Shape;
            if (dims is not null) outputs.Add(name, run.Floats(tensor), dims);
            else outputs.Add(name, ChannelsFirst.FromEngine(run.Floats(tensor), s.Last), s.Last, s[0], s[1]);
        }
        return outputs;
    }
}
