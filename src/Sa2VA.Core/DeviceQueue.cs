namespace Sa2VA.Core;

/// <summary>
/// An ordered stream of work on a device, with an arena of its own for intermediates. What is enqueued happens in that order, whoever
/// enqueues it, while the caller goes on; queues of one backend run side by side. Any thread may call any member. Enqueuing allocates
/// nothing once it is warm.
/// <para>
/// A run whose token is cancelled stops between two ops, or never begins; what follows it with other tokens runs. A run that fails takes
/// with it everything that was enqueued behind it until a wait has reported the failure, since that may build on its results.
/// </para>
/// </summary>
public abstract class DeviceQueue : IDisposable
{
    /// <summary>Name for messages.</summary>
    public abstract string Name { get; }

    /// <summary>Makes room for the intermediates of a plan, so that binding it later cannot fail for want of memory.</summary>
    /// <exception cref="DeviceMemoryException">The budget does not suffice.</exception>
    public abstract void Reserve(ExecutionPlan plan);

    /// <summary>Enqueues copying elements in. They are taken at once: the source may change afterwards.</summary>
    /// <param name="to">Whose elements are overwritten; <typeparamref name="T"/> must have their size.</param>
    /// <param name="source">Elements.</param>
    /// <param name="offset">First element to overwrite.</param>
    public abstract void Write<T>(DeviceBuffer to, ReadOnlySpan<T> source, long offset = 0) where T : unmanaged;

    /// <summary>Enqueues copying elements from one buffer to another of the same type; they must not overlap.</summary>
    /// <param name="from">Source.</param>
    /// <param name="fromOffset">Its first element.</param>
    /// <param name="to">Destination.</param>
    /// <param name="toOffset">Its first element.</param>
    /// <param name="count">Elements.</param>
    public abstract void Copy(DeviceBuffer from, long fromOffset, DeviceBuffer to, long toOffset, long count);

    /// <summary>Enqueues one run with the scalars as they are now.</summary>
    /// <param name="plan">Bound to this queue.</param>
    /// <param name="cancellation">
    /// Stops between two ops; bound states may then be partly written. The caller asks it, after its wait.
    /// </param>
    /// <exception cref="GraphException">A scalar is missing or does not fit; nothing was enqueued.</exception>
    public abstract void Run(BoundPlan plan, CancellationToken cancellation = default);

    /// <summary>Enqueues copying elements out.</summary>
    /// <param name="from">Source; <typeparamref name="T"/> must have its elements' size.</param>
    /// <param name="destination">Filled completely; may be looked at when the fence is reached.</param>
    /// <param name="offset">First element to read.</param>
    public abstract Fence BeginRead<T>(DeviceBuffer from, T[] destination, long offset = 0) where T : unmanaged;

    /// <summary>Copies elements out behind everything that was enqueued so far, and waits for them.</summary>
    /// <param name="from">Source; <typeparamref name="T"/> must have its elements' size.</param>
    /// <param name="destination">Filled completely.</param>
    /// <param name="offset">First element to read.</param>
    public abstract void Read<T>(DeviceBuffer from, Span<T> destination, long offset = 0) where T : unmanaged;

    /// <summary>A point behind everything that was enqueued so far.</summary>
    public abstract Fence Mark();

    /// <summary>
    /// Enqueues waiting for a point of another queue of the same backend. If what is waited for fails, or has failed, so does what follows.
    /// </summary>
    public abstract void WaitFor(Fence fence);

    /// <summary>Ends the queue after the op that is running; what is still enqueued never happens.</summary>
    public abstract void Dispose();

    /// <summary>True once everything up to a position has happened.</summary>
    protected internal abstract bool IsReached(long position);

    /// <summary>
    /// Blocks until everything up to a position has happened; throws if something from <paramref name="first"/> on did not.
    /// </summary>
    protected internal abstract void Wait(long first, long position);

    /// <summary>Ends when everything up to a position has happened, or fails as <see cref="Wait"/> does.</summary>
    protected internal abstract Task WhenReached(long first, long position);

    /// <summary>A fence of this queue.</summary>
    protected Fence FenceAt(long position) => new(this, position, position);
}

/// <summary>A point in a queue's work.</summary>
public readonly struct Fence
{
    private readonly DeviceQueue? _queue;

    private readonly long _first;

    internal Fence(DeviceQueue queue, long first, long position) => (_queue, _first, Position) = (queue, first, position);

    /// <summary>Its queue; null for the fence that is always reached.</summary>
    public DeviceQueue? Queue => _queue;

    /// <summary>Number of the last piece of work before it.</summary>
    public long Position { get; }

    /// <summary>Number of the first piece of work whose failure is one of this fence.</summary>
    internal long First => _first;

    /// <summary>True when the work before it is done.</summary>
    public bool IsReached => _queue is null || _queue.IsReached(Position);

    /// <summary>
    /// The same point, as the end of work that was begun behind another: waiting for it also fails if only an earlier part of that work
    /// did. A failure that somebody else is told of in between ends there for what is enqueued later, which would then build on nothing.
    /// </summary>
    /// <param name="begin">A point of the same queue, from before the work was enqueued.</param>
    public Fence Since(Fence begin) => _queue is null || begin.Queue != _queue
        ? this
        : new Fence(_queue, Math.Min(begin.Position + 1, Position), Position);

    /// <summary>Waits until the work before it is done.</summary>
    /// <exception cref="Exception">Of the work before it some failed or was skipped for a failure: that failure.</exception>
    /// <exception cref="ObjectDisposedException">The queue or its backend was closed before.</exception>
    public void Wait() => _queue?.Wait(_first, Position);

    /// <summary>Ends when the work before it is done, without a thread that waits.</summary>
    /// <inheritdoc cref="Wait"/>
    public Task WhenReached() => _queue?.WhenReached(_first, Position) ?? Task.CompletedTask;
}
