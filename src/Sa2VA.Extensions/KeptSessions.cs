using Sa2VA.Engine;

namespace Sa2VA.Extensions;

/// <summary>
/// Sessions of conversations that may go on, found by what was said, with their pages and pictures. The least recently used one is closed
/// when there are too many. Any thread may call any member.
/// </summary>
/// <param name="most">How many.</param>
internal sealed class KeptSessions(int most) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, ChatSession Session)>> _known = [];
    private readonly LinkedList<(string Key, ChatSession Session)> _used = [];
    private bool _disposed;

    /// <summary>A session of its own for whoever goes on from there, or null.</summary>
    public ChatSession? Fork(string key)
    {
        lock (_lock)
        {
            if (!_known.TryGetValue(key, out LinkedListNode<(string Key, ChatSession Session)>? node)) return null;
            _used.Remove(node);
            _used.AddFirst(node);
            // Nobody else calls a session that is kept.
            return node.Value.Session.Fork();
        }
    }

    /// <summary>Keeps a session, owned from now on.</summary>
    public void Keep(string key, ChatSession session)
    {
        lock (_lock)
        {
            if (_disposed || most == 0)
            {
                session.Dispose();
                return;
            }
            if (_known.Remove(key, out LinkedListNode<(string Key, ChatSession Session)>? same)) Close(same);
            _known.Add(key, _used.AddFirst((key, session)));
            if (_used.Count <= most) return;
            _known.Remove(_used.Last!.Value.Key);
            Close(_used.Last);
        }
    }

    /// <summary>Closes all.</summary>
    /// <returns>True if there were any.</returns>
    public bool Clear()
    {
        lock (_lock)
        {
            bool any = _used.Count > 0;
            _known.Clear();
            while (_used.First is { } node) Close(node);
            return any;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock) _disposed = true;
        Clear();
    }

    private void Close(LinkedListNode<(string Key, ChatSession Session)> node)
    {
        _used.Remove(node);
        node.Value.Session.Dispose();
    }
}
