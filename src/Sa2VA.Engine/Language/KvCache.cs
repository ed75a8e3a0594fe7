using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>Keys and values of every layer for one conversation, with the bindings of the plans that read and write them.</summary>
internal sealed class KvCache : IDisposable
{
    /// <summary>Values copied at a time, over the stack: a long conversation's keys and values are not held twice.</summary>
    private const int CopyPiece = 4096;

    private readonly List<DeviceBuffer> _buffers = [];
    private readonly LanguagePlans _plans;

    /// <summary>Allocates room for the plans' capacity.</summary>
    /// <param name="backend">Device.</param>
    /// <param name="plans">Plans that will run over it.</param>
    /// <param name="ids">Token ids of a run.</param>
    /// <param name="next">Most likely next id.</param>
    /// <param name="hidden">Last state.</param>
    public KvCache(IBackend backend, LanguagePlans plans, DeviceBuffer ids, DeviceBuffer next, DeviceBuffer hidden)
    {
        _plans = plans;
        try
        {
            foreach (LayerCache layer in plans.Decode.Graph.Stack.Caches)
            {
                _buffers.Add(backend.Allocate(layer.Keys.Name, layer.Keys.Type, layer.Keys.Shape));
                _buffers.Add(backend.Allocate(layer.Values.Name, layer.Values.Type, layer.Values.Shape));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
        ImagePrefill = Bind(plans.ImagePrefill.Graph);
        Prefill = Bind(plans.Prefill.Graph);
        Decode = Bind(plans.Decode.Graph);

        PlanBindings Bind(LanguageGraph graph)
        {
            var bindings = new PlanBindings(graph.Graph).Bind(graph.Stack.Ids, ids).Bind(graph.Next, next).Bind(graph.Hidden, hidden);
            for (int i = 0; i < graph.Stack.Caches.Count; i++)
                bindings.Bind(graph.Stack.Caches[i].Keys, _buffers[2 * i]).Bind(graph.Stack.Caches[i].Values, _buffers[2 * i + 1]);
            return bindings;
        }
    }

    /// <summary>Most tokens.</summary>
    public int Capacity => _plans.Capacity;

    /// <summary>Plans that run over this cache.</summary>
    public LanguagePlans Plans => _plans;

    public PlanBindings ImagePrefill { get; }

    public PlanBindings Prefill { get; }

    public PlanBindings Decode { get; }

    /// <summary>Takes over the first rows of a smaller cache.</summary>
    public void CopyFrom(KvCache other, int rows)
    {
        long count = rows * (long)_buffers[0].Shape.Last;
        Span<float> piece = stackalloc float[CopyPiece];
        for (int i = 0; i < _buffers.Count; i++)
        {
            for (long at = 0; at < count; at += CopyPiece)
            {
                Span<float> values = piece[..(int)Math.Min(CopyPiece, count - at)];
                other._buffers[i].Read(values, at);
                _buffers[i].Write<float>(values, at);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
    }
}
