using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// Keys and values of all conversations of a model, in pages of <see cref="KvLayout.PageRows"/> tokens. A conversation is a list of pages;
/// several may share one, which is then not written: who has to writes a copy. Pages of prompts can be found by what they hold. Any thread
/// may call any member; what is enqueued on the language model's queue keeps its order, so a page may change owners while work is on its
/// way.
/// </summary>
internal sealed class PagePool : IDisposable
{
    private const int GrowthPages = 8;

    // Growing may wait for finalizers, and those give pages back: they must not meet the lock that it is under.
    private readonly Lock _taking = new(), _lock = new();
    private readonly IBackend _backend;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly Stack<int> _free = new();
    private readonly List<int> _holders = [];
    private readonly List<PageKey?> _keys = [];
    private readonly Dictionary<PageKey, int> _known = [];
    private bool _disposed;

    /// <param name="backend">Device; not owned.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="layout">Most pages, and the type of what they hold.</param>
    /// <exception cref="DeviceMemoryException">The device has no room for the pool's addresses.</exception>
    public PagePool(IBackend backend, LanguageConfig config, KvLayout layout)
    {
        (_backend, Layout) = (backend, layout);
        var shape = new Shape(layout.Pages * KvLayout.PageRows, config.KvHeads * config.HeadDim);
        try
        {
            for (int i = 0; i < config.Layers; i++)
            {
                _buffers.Add(backend.Reserve(FormattableString.Invariant($"keys {i}"), layout.Type, shape));
                _buffers.Add(backend.Reserve(FormattableString.Invariant($"values {i}"), layout.Type, shape));
            }
        }
        catch (DeviceMemoryException e)
        {
            Dispose();
            throw new DeviceMemoryException($"There is no room for the keys and values of {layout.Pages * KvLayout.PageRows} tokens, which "
                + $"all conversations may have together; give a smaller {nameof(ModelOptions)}.{nameof(ModelOptions.MaxTokens)}. "
                + e.Message, e);
        }
    }

    /// <summary>Most pages, and the type of what they hold.</summary>
    public KvLayout Layout { get; }

    /// <summary>Pages that conversations hold.</summary>
    public int HeldPages
    {
        get
        {
            lock (_lock) return _holders.Count - _free.Count;
        }
    }

    /// <summary>Bytes that the pool holds when all pages are held.</summary>
    public long MostBytes => Layout.Pages * PageBytes;

    /// <summary>Bytes that the pool holds, used or not.</summary>
    public long CommittedBytes => _buffers.Sum(b => b.Bytes);

    /// <summary>Has a plan keep keys and values here.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, LanguageStack stack)
    {
        for (int i = 0; i < stack.Caches.Count; i++)
            buffers.Add(stack.Caches[i].Keys, _buffers[2 * i]).Add(stack.Caches[i].Values, _buffers[2 * i + 1]);
        return buffers;
    }

    /// <summary>Takes a page that nobody holds.</summary>
    /// <exception cref="DeviceMemoryException">All pages are held, or the memory budget does not suffice.</exception>
    public int Take()
    {
        lock (_taking)
        {
            try
            {
                if (!HasFree) Grow();
            }
            catch (DeviceMemoryException) when (HasFree)
            {
                // What forgotten conversations held came back meanwhile.
            }
            lock (_lock)
            {
                int page = _free.Pop();
                _holders[page] = 1;
                return page;
            }
        }
    }

    /// <summary>Holds a page once more.</summary>
    public int Share(int page)
    {
        lock (_lock) _holders[page]++;
        return page;
    }

    /// <summary>Gives pages back, from index <paramref name="first"/> of the list on.</summary>
    public void Return(List<int> pages, int first)
    {
        lock (_lock)
        {
            for (int i = first; i < pages.Count; i++) Release(pages[i]);
        }
        pages.RemoveRange(first, pages.Count - first);
    }

    /// <summary>
    /// Makes sure that a page may be written: nobody else holds it, and nobody will find it. If need be a copy takes its place in the list.
    /// </summary>
    /// <param name="queue">The language model's.</param>
    /// <param name="pages">A conversation's pages.</param>
    /// <param name="index">Which of them.</param>
    /// <param name="rows">Rows of it that matter.</param>
    public void MakeWritable(DeviceQueue queue, List<int> pages, int index, int rows)
    {
        int from = pages[index];
        lock (_lock)
        {
            if (_holders[from] == 1)
            {
                Forget(from);
                return;
            }
        }
        int to = Take();
        foreach (DeviceBuffer buffer in _buffers)
        {
            long width = buffer.Shape.Last, page = KvLayout.PageRows * width;
            queue.Copy(buffer, from * page, buffer, to * page, rows * width);
        }
        pages[index] = to;
        lock (_lock) Release(from);
    }

    /// <summary>Lets others find the full pages of a prompt.</summary>
    /// <param name="pictures">What the prompt's negative ids speak of, or null.</param>
    /// <param name="prompt">Token ids.</param>
    /// <param name="pages">Their pages.</param>
    public void Publish(ShownPictures? pictures, ReadOnlySpan<int> prompt, List<int> pages)
    {
        lock (_lock)
        {
            for (int i = 0; (i + 1) * KvLayout.PageRows <= prompt.Length; i++)
            {
                if (_keys[pages[i]] is not null) continue;
                PageKey key = KeyOf(pictures, prompt, pages, i);
                if (_known.TryAdd(key, pages[i])) _keys[pages[i]] = key;
            }
        }
    }

    /// <summary>Lets nobody find these pages any more.</summary>
    public void Withdraw(List<int> pages)
    {
        lock (_lock)
            foreach (int page in pages) Forget(page);
    }

    /// <summary>
    /// Looks for pages that hold the beginning of a prompt, and holds them too, instead of those that are in the list from the first
    /// difference on.
    /// </summary>
    /// <param name="pictures">What the prompt's negative ids speak of, or null.</param>
    /// <param name="prompt">Token ids; the last one is left to be computed.</param>
    /// <param name="pages">Pages of the prompt's first tokens.</param>
    /// <param name="have">How many tokens they hold of it.</param>
    /// <returns>Tokens that the pages hold of it then, at least <paramref name="have"/>.</returns>
    public int Find(ShownPictures? pictures, ReadOnlySpan<int> prompt, List<int> pages, int have)
    {
        var found = new List<int>();
        lock (_lock)
        {
            while ((found.Count + 1) * KvLayout.PageRows < prompt.Length
                && _known.TryGetValue(KeyOf(pictures, prompt, found, found.Count), out int page)) found.Add(page);
            if (found.Count * KvLayout.PageRows <= have) return have;
            foreach (int page in found) _holders[page]++;
        }
        Return(pages, 0);
        pages.AddRange(found);
        return found.Count * KvLayout.PageRows;
    }

    /// <summary>Gives memory back if nobody holds a page. Nothing that writes one may be enqueued.</summary>
    public void Trim()
    {
        // Who takes one needs the memory.
        if (!_taking.TryEnter()) return;
        try
        {
            lock (_lock)
            {
                if (_disposed || _holders.Count > _free.Count) return;
                foreach (DeviceBuffer buffer in _buffers) buffer.Trim();
                _free.Clear();
                _holders.Clear();
                _keys.Clear();
            }
        }
        finally
        {
            _taking.Exit();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_taking)
        lock (_lock)
        {
            _disposed = true;
            foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        }
    }

    private long PageBytes => _buffers.Sum(b => (long)KvLayout.PageRows * b.Shape.Last * b.Type.Size());

    private bool HasFree
    {
        get
        {
            lock (_lock) return _free.Count > 0;
        }
    }

    private static PageKey KeyOf(ShownPictures? pictures, ReadOnlySpan<int> prompt, List<int> pages, int index)
    {
        ReadOnlySpan<int> page = prompt.Slice(index * KvLayout.PageRows, KvLayout.PageRows);
        (ImageKey image, int[] tokens) = pictures?.KeyOf(page) ?? (default, page.ToArray());
        return new PageKey(image, index == 0 ? -1 : pages[index - 1], tokens);
    }

    /// <summary>Under the lock.</summary>
    private void Release(int page)
    {
        if (--_holders[page] > 0) return;
        Forget(page);
        _free.Push(page);
    }

    /// <summary>Under the lock.</summary>
    private void Forget(int page)
    {
        if (_keys[page] is { } key) _known.Remove(key);
        _keys[page] = null;
    }

    /// <summary>Under the lock of those who take.</summary>
    private void Grow()
    {
        int before = _holders.Count, after = Math.Min(before + GrowthPages, Layout.Pages);
        if (after == before)
        {
            throw new DeviceMemoryException(
                $"All {Layout.Pages * KvLayout.PageRows} tokens that conversations may have together are in use. "
                + $"Close sessions, or give {nameof(ModelOptions)}.{nameof(ModelOptions.MaxTokens)}.");
        }
        // All layers or none: a conversation that does not fit leaves no layer larger than the others.
        MemoryRoom.Check(_backend, after * PageBytes - CommittedBytes,
            FormattableString.Invariant($"Keys and values of {(after - before) * KvLayout.PageRows} more tokens"),
            $"Close sessions, ask for less, or raise {nameof(ModelOptions)}.{nameof(ModelOptions.MemoryBudget)}.");
        foreach (DeviceBuffer buffer in _buffers) buffer.Commit((long)after * KvLayout.PageRows * buffer.Shape.Last);
        lock (_lock)
        {
            for (int page = after - 1; page >= before; page--) _free.Push(page);
            for (int page = before; page < after; page++)
            {
                _holders.Add(0);
                _keys.Add(null);
            }
        }
    }
}
