using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// The tokens that one session has run through the language model, and their keys and values. What a new prompt shares at its beginning
/// with the last one is not computed again. Answer tokens are: a decode step rounds differently from a prompt chunk, and an answer must
/// depend on its prompt alone, not on how the session came to it. The id that a step chooses feeds the next step on the device; the host
/// reads it one step behind. A warm step allocates nothing.
/// </summary>
internal sealed class Conversation : IDisposable
{
    private readonly LanguageModel _model;
    private readonly DeviceQueue _queue;
    private readonly DeviceBuffer? _imageTokens;
    private readonly DeviceBuffer _ids, _next;
    private readonly List<int> _prompt = [];
    private readonly int[][] _arrivals = [new int[1], new int[1]];
    private KvCache? _cache;
    private Fence _arrival;
    private int _latest, _answered;

    /// <param name="model">Model.</param>
    /// <param name="imageTokens">Image rows that negative ids refer to, or null.</param>
    public Conversation(LanguageModel model, DeviceBuffer? imageTokens)
    {
        (_model, _queue, _imageTokens) = (model, model.Queue, imageTokens);
        try
        {
            _ids = model.Backend.Allocate("token ids", DType.I32, new Shape(LanguageModel.PrefillChunk));
            _next = model.Backend.Allocate("next token", DType.I32, new Shape(1));
            Hidden = model.Backend.Allocate("last state", DType.F32, new Shape(1, model.Config.HiddenSize));
        }
        catch
        {
            _ids?.Dispose();
            _next?.Dispose();
            throw;
        }
    }

    /// <summary>Tokens in the cache when all that is enqueued is done.</summary>
    public int Length { get; private set; }

    /// <summary>State after the final norm of the last row that ran, on the device [1, H].</summary>
    public DeviceBuffer Hidden { get; }

    /// <summary>Prompt tokens computed so far, over all prompts: what prefix reuse saves shows here.</summary>
    public long PrefilledTokens { get; private set; }

    /// <summary>Makes the cache hold exactly this prompt; <see cref="Next"/> then gives the answer's ids.</summary>
    /// <param name="prompt">Token ids, at least one; −1 − j stands for image row j.</param>
    /// <param name="reserve">Decode steps that are to follow.</param>
    /// <param name="progress">Told how many of the prompt's tokens are in the cache.</param>
    /// <param name="cancellation">Stops between two ops; the conversation stays usable.</param>
    public void Prefill(ReadOnlySpan<int> prompt, int reserve, Action<int>? progress, CancellationToken cancellation)
    {
        int shared = Math.Min(CollectionsMarshal.AsSpan(_prompt).CommonPrefixLength(prompt), prompt.Length - 1);
        CollectionsMarshal.SetCount(_prompt, shared);
        Length = shared;
        KvCache cache = EnsureCapacity(prompt.Length + reserve, cancellation);
        bool image = prompt[shared..].IndexOfAnyInRange(int.MinValue, -1) >= 0;
        if (image && _imageTokens is null) throw new PromptException("The prompt speaks of an image; this session has none.");
        (LanguageGraph graph, BoundPlan plan) = image ? cache.ImagePrefill : cache.Prefill;
        while (Length < prompt.Length)
        {
            ReadOnlySpan<int> chunk = prompt[Length..Math.Min(prompt.Length, Length + graph.Stack.Ids.Shape[0])];
            _queue.Write(_ids, chunk);
            graph.Stack.SetPosition(plan, Length, chunk.Length);
            _queue.Run(plan, cancellation);
            Expect();
            _arrival.Wait();
            cancellation.ThrowIfCancellationRequested();
            _prompt.AddRange(chunk);
            Length = _prompt.Count;
            PrefilledTokens += chunk.Length;
            progress?.Invoke(Length);
        }
        _answered = 0;
    }

    /// <summary>
    /// The most likely id behind everything so far. With <paramref name="follow"/> the step that consumes it is enqueued first, before it
    /// is known here; if the answer then ends with it, that step was in vain.
    /// </summary>
    /// <param name="follow">True unless no step is to follow whatever the id is.</param>
    /// <param name="cancellation">Stops between two ops; the conversation stays usable.</param>
    /// <exception cref="NonFiniteException">The logits are not finite.</exception>
    public int Next(bool follow, CancellationToken cancellation)
    {
        if (_prompt.Count == 0) throw new PromptException("A conversation begins with a prompt.");
        (Fence arrival, int[] arriving) = (_arrival, _arrivals[_latest]);
        if (follow)
        {
            (LanguageGraph graph, BoundPlan plan) = EnsureCapacity(Length + 1, cancellation).Decode;
            graph.Stack.SetPosition(plan, Length, 1);
            _queue.Run(plan, cancellation);
            Length++;
            Expect();
        }
        arrival.Wait();
        cancellation.ThrowIfCancellationRequested();
        int id = arriving[0], token = _answered++;
        // A negative id says that the row of logits is not finite.
        if (id >= 0) return id;
        Forget();
        if (_imageTokens is not null && !FiniteCheck.IsFinite(_queue, _imageTokens))
            throw FiniteCheck.Error("The vision tower or its projector");
        throw FiniteCheck.Error(token == 0
            ? "The language model, reading the prompt,"
            : $"The language model, at token {token} of its answer,");
    }

    /// <summary>Copies the state after the final norm of the last row that ran [H].</summary>
    public void ReadState(Span<float> state) => _queue.Read(Hidden, state);

    /// <summary>Frees the memory, after a step that was enqueued in vain.</summary>
    public void Dispose()
    {
        if (!_arrival.IsReached) Abandon();
        Forget();
        _ids.Dispose();
        _next.Dispose();
        Hidden.Dispose();
    }

    /// <summary>A cache for at least this many tokens; what a smaller one holds is taken over.</summary>
    internal KvCache EnsureCapacity(int tokens, CancellationToken cancellation)
    {
        if (_cache is not null && _cache.Capacity >= tokens) return _cache;
        var larger = new KvCache(_model, _model.Plans(tokens, cancellation), new LanguageBuffers(_ids, _imageTokens, _next, Hidden));
        if (_cache is not null)
        {
            try
            {
                larger.CopyFrom(_cache, Length);
            }
            catch
            {
                larger.Dispose();
                throw;
            }
            _cache.Dispose();
        }
        _prompt.EnsureCapacity(larger.Capacity);
        return _cache = larger;
    }

    private void Abandon()
    {
        try
        {
            _arrival.Wait();
        }
        catch (Exception e) when (e is ObjectDisposedException or Sa2VAException)
        {
            // Nobody waits for its result, and nobody is told of its failure.
        }
    }

    /// <summary>The id that the step just enqueued will choose is read as soon as it is there, beside the one before it.</summary>
    private void Expect()
    {
        _latest ^= 1;
        _arrival = _queue.BeginRead(_next, _arrivals[_latest]);
    }

    /// <summary>
    /// Begins with an empty cache. Keys and values that are not finite must not stay even where they are masked: a weight of zero does not
    /// make NaN zero.
    /// </summary>
    private void Forget()
    {
        _cache?.Dispose();
        _cache = null;
        _prompt.Clear();
        Length = 0;
    }
}
