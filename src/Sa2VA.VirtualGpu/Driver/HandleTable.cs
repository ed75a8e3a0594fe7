using System.Diagnostics.CodeAnalysis;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Live objects by the handles that calls know them by. No handle is given twice in a process.</summary>
internal sealed class HandleTable
{
    private static long last = 0x10000;

    private readonly Dictionary<nint, object> objects = [];

    public nint Add(object o)
    {
        nint handle = (nint)Interlocked.Add(ref last, 16);
        objects[handle] = o;
        return handle;
    }

    public T Add<T>(T o) where T : ContextObject
    {
        o.Handle = Add((object)o);
        return o;
    }

    public bool TryGet<T>(nint handle, [NotNullWhen(true)] out T? found) where T : class
    {
        found = objects.GetValueOrDefault(handle) as T;
        return found is not null;
    }

    /// <exception cref="DriverException">The handle is of nothing alive, or of something else.</exception>
    public T Get<T>(nint handle) where T : class => TryGet(handle, out T? found)
        ? found
        : throw new DriverException(DriverResult.InvalidHandle, $"handle 0x{handle:x} is no live {typeof(T).Name}");

    public void Remove(nint handle) => objects.Remove(handle);

    public void RemoveAllOf(DriverContext context)
    {
        foreach (nint handle in All<ContextObject>().Where(o => o.Context == context).Select(o => o.Handle).ToArray()) Remove(handle);
        Remove(context.Handle);
    }

    public IEnumerable<T> All<T>() => objects.Values.OfType<T>();
}
