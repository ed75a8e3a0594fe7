namespace Sa2VA.Engine;

/// <summary>Something that is done between two frames.</summary>
internal abstract class LiveCommand
{
    public abstract void Run(VideoSession session);

    public abstract void Fail(Exception e);
}

/// <summary>Something that is told between two frames; what whoever is told throws ends the live stream.</summary>
internal sealed class LiveNotice(Action tell) : LiveCommand
{
    public override void Run(VideoSession session) => tell();

    public override void Fail(Exception e) { }
}

/// <summary>Something that is done between two frames, with its result.</summary>
/// <param name="action">What is done.</param>
/// <param name="cancellation">Keeps it from being begun.</param>
internal sealed class LiveCommand<T>(Func<VideoSession, T> action, CancellationToken cancellation) : LiveCommand
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Done => _done.Task;

    public override void Run(VideoSession session)
    {
        try
        {
            cancellation.ThrowIfCancellationRequested();
            _done.TrySetResult(action(session));
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            _done.TrySetCanceled(cancellation);
        }
        catch (Exception e)
        {
            _done.TrySetException(e);
        }
    }

    public override void Fail(Exception e) => _done.TrySetException(e);
}
