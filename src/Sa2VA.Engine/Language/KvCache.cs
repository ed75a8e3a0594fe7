using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>What the language model's plans read and write besides keys and values.</summary>
/// <param name="Ids">Token ids of a prompt chunk.</param>
/// <param name="ImageTokens">Image rows that negative ids refer to, or null.</param>
/// <param name="Next">Most likely next id: what a decode step consumes and then overwrites.</param>
/// <param name="Hidden">Last state.</param>
internal readonly record struct LanguageBuffers(DeviceBuffer Ids, DeviceBuffer? ImageTokens, DeviceBuffer Next, DeviceBuffer Hidden);

/// <summary>Keys and values of every layer for one conversation, with the plans bound to them.</summary>
internal sealed class KvCache : IDisposable
{
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly LanguageModel _model;
    private readonly LanguagePlans _plans;
    private readonly LanguageBuffers _io;
    private BoundPlan? _imagePrefill, _prefill, _decode;

    /// <summary>Allocates room for the plans' capacity.</summary>
    /// <param name="model">Whose queue they run on.</param>
    /// <param name="plans">Plans that will run over it.</param>
    /// <param name="io">Their inputs and outputs.</param>
    public KvCache(LanguageModel model, LanguagePlans plans, LanguageBuffers io)
    {
        (_model, _plans, _io) = (model, plans, io);
        try
        {
            foreach (LayerCache layer in plans.Decode.Graph.Stack.Caches)
            {
                _buffers.Add(model.Backend.Allocate(layer.Keys.Name, layer.Keys.Type, layer.Keys.Shape));
                _buffers.Add(model.Backend.Allocate(layer.Values.Name, layer.Values.Type, layer.Values.Shape));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Most tokens.</summary>
    public int Capacity => _plans.Capacity;

    public (LanguageGraph Graph, BoundPlan Plan) ImagePrefill =>
        (_plans.ImagePrefill.Graph, _imagePrefill ??= Bind(_plans.ImagePrefill, _io.Ids));

    public (LanguageGraph Graph, BoundPlan Plan) Prefill => (_plans.Prefill.Graph, _prefill ??= Bind(_plans.Prefill, _io.Ids));

    public (LanguageGraph Graph, BoundPlan Plan) Decode => (_plans.Decode.Graph, _decode ??= Bind(_plans.Decode, _io.Next));

    /// <summary>Takes over the first rows of a smaller cache.</summary>
    public void CopyFrom(KvCache other, int rows)
    {
        for (int i = 0; i < _buffers.Count; i++)
            _model.Queue.Copy(other._buffers[i], 0, _buffers[i], 0, rows * (long)_buffers[i].Shape.Last);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _imagePrefill?.Dispose();
        _prefill?.Dispose();
        _decode?.Dispose();
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
    }

    private BoundPlan Bind(Compiled<LanguageGraph> compiled, DeviceBuffer ids)
    {
        LanguageGraph graph = compiled.Graph;
        PlanBuffers buffers = new PlanBuffers(graph.Graph).Add(graph.Stack.Ids, ids).Add(graph.Next, _io.Next)
            .Add(graph.Hidden, _io.Hidden);
        if (graph.Stack.ImageTokens is not null) buffers.Add(graph.Stack.ImageTokens, _io.ImageTokens!);
        for (int i = 0; i < graph.Stack.Caches.Count; i++)
            buffers.Add(graph.Stack.Caches[i].Keys, _buffers[2 * i]).Add(graph.Stack.Caches[i].Values, _buffers[2 * i + 1]);
        return compiled.Plan.Bind(_model.Queue, buffers);
    }
}
