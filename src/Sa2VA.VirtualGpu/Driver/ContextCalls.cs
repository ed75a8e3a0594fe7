namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of contexts; each thread has a stack of current ones.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const int GreatestPriority = -5;

    private void AddContextCalls()
    {
        Add<GivesContext>("cuCtxCreate_v2", (context, _, device) => Call("cuCtxCreate_v2", () =>
        {
            NotNull(context, "the context");
            DriverDevice on = Device(device);
            if (on.IsLost) throw new DriverException(DriverResult.DeviceUnavailable, $"device {device} is gone");
            var made = new DriverContext(on, addresses, Options.Execution.WatchesGlobalMemory,
                Options.CheckStreams ? new() : null, ++contexts);
            *context = made.Handle = handles.Add(made);
            thread.Value!.Current.Push(made);
        }));
        Add<TakesHandle>("cuCtxDestroy_v2", context => Call("cuCtxDestroy_v2", () =>
        {
            DriverContext gone = Context(context);
            dispatcher.Between(() =>
            {
                if (gone.IsDestroyed) return;
                gone.IsDestroyed = true;
                dispatcher.Drop(gone);
                pinned = [.. pinned.Where(p => !gone.HostMemory.ContainsValue(p))];
                captures.RemoveAll(c => c.Origin.Context == gone);
                gone.Dispose();
                handles.RemoveAllOf(gone);
            });
            if (thread.Value!.Current.TryPeek(out DriverContext? top) && top == gone) thread.Value.Current.Pop();
        }));
        Add<TakesHandle>("cuCtxPushCurrent_v2", context => Call("cuCtxPushCurrent_v2", () =>
            thread.Value!.Current.Push(Context(context))));
        Add<GivesHandle>("cuCtxPopCurrent_v2", context => Call("cuCtxPopCurrent_v2", () =>
        {
            if (!thread.Value!.Current.TryPop(out DriverContext? top))
                throw new DriverException(DriverResult.InvalidContext, "no context is current");
            if (context != null) *context = top.Handle;
        }));
        Add<GivesTwoNumbers>("cuCtxGetStreamPriorityRange", (least, greatest) => Call("cuCtxGetStreamPriorityRange", (DriverContext _) =>
        {
            if (least != null) *least = 0;
            if (greatest != null) *greatest = GreatestPriority;
        }));
    }

    private DriverContext Context(nint handle) => handles.TryGet(handle, out DriverContext? context)
        ? context
        : throw new DriverException(DriverResult.InvalidContext, $"handle 0x{handle:x} is no live context");
}
