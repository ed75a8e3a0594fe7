using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What the host is told of a picture's objects: masks at the picture's size as bits, and what stands beside them, made on the device and
/// fetched in one read. In a stream there are results of several pictures, one of which is fetched at a time.
/// </summary>
internal sealed class MaskOutput : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly MaskResults _columns;
    private readonly ExecutionPlan _plan;
    private readonly DeviceBuffer _packed;
    private readonly BoundPlan[] _bound;
    private readonly int[] _words;
    private readonly int _maskWords, _rowWords;

    /// <param name="model">Model.</param>
    /// <param name="results">Of all objects, on each of the pictures.</param>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="height">Rows of the picture.</param>
    public MaskOutput(SegmentationModel model, IReadOnlyList<MaskResults> results, int width, int height)
    {
        (_model, _columns, Size) = (model, results[0], (width, height));
        var g = new GraphBuilder("mask output", model.Weights);
        Tensor x = g.Input("results", DType.F32, new Shape(_columns.Objects, _columns.Buffer.Shape.Last));
        Tensor packed = g.Output("packed", g.PackMasks(x, model.LowSide, model.Config.ImageSize, height, width));
        _rowWords = packed.Shape.Last;
        _maskWords = height * PackMasks.WordsFor(width);
        _words = new int[packed.Shape.Count];
        _plan = model.Backend.Compile(g.Build());
        _bound = new BoundPlan[results.Count];
        try
        {
            _packed = model.Backend.Allocate("mask output", DType.I32, packed.Shape);
            for (int i = 0; i < _bound.Length; i++)
                _bound[i] = _plan.Bind(model.Queue, new PlanBuffers(_plan.Graph).Add(x, results[i].Buffer).Add(packed, _packed));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Of the picture.</summary>
    public (int Width, int Height) Size { get; }

    /// <summary>Enqueues packing and reading.</summary>
    /// <param name="picture">Which of the results.</param>
    /// <param name="cancellation">Stops the packing.</param>
    public Fence BeginRead(int picture, CancellationToken cancellation)
    {
        _model.Queue.Run(_bound[picture], cancellation);
        return _model.Queue.BeginRead(_packed, _words);
    }

    /// <summary>An object's mask, row by row: bit i of word j of a row of ⌈width/32⌉ words is pixel 32·j + i.</summary>
    public ReadOnlySpan<int> Bits(int row) => _words.AsSpan(row * _rowWords, _maskWords);

    /// <summary>What the mask decoder says of an object; logits are not fetched.</summary>
    public MaskPrediction this[int row] => new(_columns, row,
        MemoryMarshal.Cast<int, float>(_words.AsSpan(row * _rowWords + _maskWords + 1, _rowWords - _maskWords - 1)),
        _words[row * _rowWords + _maskWords] == 1);

    public void Dispose()
    {
        foreach (BoundPlan? bound in _bound) bound?.Dispose();
        _packed?.Dispose();
        _plan.Dispose();
    }
}
