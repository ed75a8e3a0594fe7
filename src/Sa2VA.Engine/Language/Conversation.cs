using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// The tokens that one session has run through the language model, and their keys and values. What a new prompt shares at its beginning
/// with the last one is not computed again. Answer tokens are: a decode step rounds differently from a prompt chunk, and an answer must
/// depend on its prompt alone, not on how the session came to it. A warm decode step allocates nothing.
/// </summary>
internal sealed class Conversation : IDisposable
{
    private readonly LanguageModel _model;
    private readonly DeviceBuffer? _imageTokens;
    private readonly DeviceBuffer _ids, _next, _hidden;
    private readonly List<int> _cached = [];
    private readonly int[] _one = new int[1];
    private KvCache? _cache;
    private int _prefilled;

    /// <param name="model">Model.</param>
    /// <param name="imageTokens">Image rows that negative ids refer to, or null.</param>
    public Conversation(LanguageModel model, DeviceBuffer? imageTokens)
    {
        (_model, _imageTokens) = (model, imageTokens);
        try
        {
            _ids = model.Backend.Allocate("token ids", DType.I32, new Shape(LanguageModel.PrefillChunk));
            _next = model.Backend.Allocate("next token", DType.I32, new Shape(1));
            _hidden = model.Backend.Allocate("last state", DType.F32, new Shape(1, model.Config.HiddenSize));
        }
        catch
        {
            _ids?.Dispose();
            _next?.Dispose();
            throw;
        }
    }

    /// <summary>Tokens in the cache.</summary>
    public int Length => _cached.Count;

    /// <summary>Prompt tokens computed so far, over all prompts: what prefix reuse saves shows here.</summary>
    public long PrefilledTokens { get; private set; }

    /// <summary>Makes the cache hold exactly this prompt and returns the most likely next id.</summary>
    /// <param name="prompt">Token ids, at least one; −1 − j stands for image row j.</param>
    /// <param name="reserve">Decode steps that are to follow.</param>
    /// <param name="progress">Told how many of the prompt's tokens are in the cache.</param>
    /// <param name="cancellation">Stops between two ops; the conversation stays usable.</param>
    /// <exception cref="NonFiniteException">The logits are not finite.</exception>
    public int Prefill(ReadOnlySpan<int> prompt, int reserve, Action<int>? progress, CancellationToken cancellation)
    {
        int shared = CollectionsMarshal.AsSpan(_cached).CommonPrefixLength(prompt);
        _prefilled = shared = Math.Min(Math.Min(shared, _prefilled), prompt.Length - 1);
        CollectionsMarshal.SetCount(_cached, shared);
        KvCache cache = EnsureCapacity(prompt.Length + reserve, cancellation);
        bool image = prompt[shared..].IndexOfAnyInRange(int.MinValue, -1) >= 0;
        (LanguageGraph graph, ExecutionPlan plan) = image ? cache.Plans.ImagePrefill : cache.Plans.Prefill;
        PlanBindings bindings = image ? cache.ImagePrefill : cache.Prefill;
        if (image)
            bindings.Bind(graph.Stack.ImageTokens!,
                _imageTokens ?? throw new PromptException("The prompt speaks of an image; this session has none."));
        while (_cached.Count < prompt.Length)
        {
            ReadOnlySpan<int> chunk = prompt[_cached.Count..Math.Min(prompt.Length, _cached.Count + graph.Stack.Ids.Shape[0])];
            _ids.Write(chunk);
            graph.Stack.SetPosition(bindings, _cached.Count, chunk.Length);
            plan.Run(bindings, cancellation);
            _cached.AddRange(chunk);
            _prefilled = _cached.Count;
            PrefilledTokens += chunk.Length;
            progress?.Invoke(_cached.Count);
        }
        return ReadNext();
    }

    /// <summary>Feeds one token and returns the most likely next one.</summary>
    /// <exception cref="NonFiniteException">The logits are not finite.</exception>
    public int Decode(int id, CancellationToken cancellation)
    {
        KvCache cache = _cache ?? throw new PromptException("A conversation begins with a prompt.");
        if (_cached.Count == cache.Capacity) cache = EnsureCapacity(_cached.Count + 1, cancellation);
        (LanguageGraph graph, ExecutionPlan plan) = cache.Plans.Decode;
        _one[0] = id;
        _ids.Write<int>(_one);
        graph.Stack.SetPosition(cache.Decode, _cached.Count, 1);
        plan.Run(cache.Decode, cancellation);
        _cached.Add(id);
        return ReadNext();
    }

    /// <summary>Copies the state after the final norm of the last row that ran [H].</summary>
    public void ReadState(Span<float> state) => _hidden.Read(state);

    /// <inheritdoc/>
    public void Dispose()
    {
        Forget();
        _ids.Dispose();
        _next.Dispose();
        _hidden.Dispose();
    }

    private int ReadNext()
    {
        _next.Read<int>(_one);
        // A negative id says that the row of logits is not finite.
        if (_one[0] >= 0) return _one[0];
        int token = _cached.Count - _prefilled;
        Forget();
        if (_imageTokens is not null && !FiniteCheck.IsFinite(_imageTokens)) throw FiniteCheck.Error("The vision tower or its projector");
        throw FiniteCheck.Error(token == 0
            ? "The language model, reading the prompt,"
            : $"The language model, at token {token} of its answer,");
    }

    /// <summary>
    /// Begins with an empty cache. Keys and values that are not finite must not stay even where they are masked: a weight of zero does not
    /// make NaN zero.
    /// </summary>
    private void Forget()
    {
        _cache?.Dispose();
        _cache = null;
        _cached.Clear();
        _prefilled = 0;
    }

    /// <summary>A cache for at least this many tokens; what a smaller one holds is taken over.</summary>
    internal KvCache EnsureCapacity(int tokens, CancellationToken cancellation)
    {
        if (_cache is not null && _cache.Capacity >= tokens) return _cache;
        var larger = new KvCache(_model.Backend, _model.Plans(tokens, cancellation), _ids, _next, _hidden);
        if (_cache is not null)
        {
            try
            {
                larger.CopyFrom(_cache, _cached.Count);
            }
            catch
            {
                larger.Dispose();
                throw;
            }
            _cache.Dispose();
        }
        _cached.EnsureCapacity(larger.Capacity);
        return _cache = larger;
    }
}
