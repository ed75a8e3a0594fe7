using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A video session as a live stream, for hours: frames are pushed as they come and wait in a bounded queue, results are read as they come,
/// or the latest at any time. A thread of its own takes frame after frame; clicks, corrections and removals are done between two frames, as
/// is whatever else changes the stream. Questions are asked of <see cref="Session"/> at any time and do not hold frames up. A frame that is
/// cancelled, too late, or fails is skipped, and the stream goes on as if it had never been pushed. Memory does not grow with time.
/// <para>
/// What objects remember counts frames, not seconds: a frame looks at the six frames before it that were processed, however long ago they
/// were. Behind a long gap, that is a memory of how things were before it; what moved far meanwhile may be lost, and is then shown
/// or named anew.
/// </para>
/// </summary>
public sealed class LiveVideo : IAsyncDisposable
{
    private readonly LiveOptions _options;
    private readonly LiveInbox _inbox;
    private readonly LiveResults _results;
    private readonly LiveReAsk _reAsk;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private CancellationTokenSource _stop;
    private volatile bool _isClosing;

    /// <summary>Makes a session live. Until this is disposed, or its frames have ended, it alone moves the session's stream.</summary>
    /// <param name="session">The session; not owned. <see cref="VideoOptions.ReuseMasks"/> holds for results.</param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <exception cref="SessionBusyException">It is live already.</exception>
    /// <exception cref="PromptException">What named objects is to be asked again, and the session keeps no frames.</exception>
    public LiveVideo(VideoSession session, LiveOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        (Session, _options) = (session, options ?? new LiveOptions());
        if (_options.ReAsk is not null) session.CheckReAsk();
        _inbox = new LiveInbox(_options);
        _reAsk = new LiveReAsk(session, _options, _inbox);
        _results = new LiveResults(_options, session.Options.ReuseMasks);
        _stop = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _options.Time);
        if (Interlocked.CompareExchange(ref session.Live, this, null) is not null)
            throw new SessionBusyException("This session is live already; dispose its LiveVideo first.");
        session.Gate.Released.ContinueWith(_ => Close(new ObjectDisposedException(nameof(VideoSession), "The session was closed.")),
            TaskScheduler.Default);
        _thread = new Thread(Run) { IsBackground = true, Name = "sa2va live" };
        _thread.Start();
    }

    /// <summary>The session: questions are asked of it.</summary>
    public VideoSession Session { get; }

    /// <summary>What became of the frames until now.</summary>
    public LiveCounters Counters => _inbox.Counters with { Unread = _results.Unread };

    internal bool IsCaller => Thread.CurrentThread == _thread;

    /// <summary>Pushes a frame from memory of the caller, which is copied before this returns.</summary>
    /// <param name="frame">Of any size and format.</param>
    /// <param name="timestamp">When it was taken, by any clock of the caller's; its result has it.</param>
    /// <param name="deadline">
    /// How old the frame may be, from now, when its masks come out; null for any age. A frame that is late is skipped.
    /// </param>
    /// <param name="cancellation">Has the frame skipped, wherever it is.</param>
    /// <returns>Ends when the frame waits in the queue: at once, but for <see cref="QueuePolicy.Wait"/>.</returns>
    /// <exception cref="MediaException">It is no picture: a default <see cref="ImageView"/>.</exception>
    /// <exception cref="ObjectDisposedException">The live stream, its session or its model has ended.</exception>
    /// <exception cref="OperationCanceledException">The frame was cancelled before it had a place.</exception>
    public ValueTask PushAsync(ImageView frame, TimeSpan timestamp, TimeSpan? deadline = null, CancellationToken cancellation = default)
    {
        PixelSize.Check(frame.Width, frame.Height, "The frame");
        cancellation.ThrowIfCancellationRequested();
        LiveFrame waiting = _inbox.Rent();
        waiting.Copy(frame);
        return Push(waiting, timestamp, deadline, cancellation);
    }

    /// <summary>Pushes a frame that never changes and is not copied.</summary>
    /// <inheritdoc cref="PushAsync(ImageView, TimeSpan, TimeSpan?, CancellationToken)"/>
    public ValueTask PushAsync(RgbImage frame, TimeSpan timestamp, TimeSpan? deadline = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frame);
        cancellation.ThrowIfCancellationRequested();
        LiveFrame waiting = _inbox.Rent();
        waiting.Hold(frame);
        return Push(waiting, timestamp, deadline, cancellation);
    }

    /// <summary>
    /// Gives results as they come, from this call on, to one reader at a time. At most <see cref="LiveOptions.Capacity"/> wait for him:
    /// with <see cref="QueuePolicy.Wait"/> the stream waits for him then, else the oldest makes room. With
    /// <see cref="VideoOptions.ReuseMasks"/> a result is his until he asks for the next.
    /// </summary>
    /// <param name="cancellation">Ends the reading; the stream goes on.</param>
    /// <exception cref="SessionBusyException">Another reader has not ended yet.</exception>
    public IAsyncEnumerable<LiveResult> ResultsAsync(CancellationToken cancellation = default) => _results.Read(cancellation);

    /// <summary>Looks at the latest result, from any thread at any time; it stays as it is until <paramref name="read"/> returns.</summary>
    /// <returns>False if there is none yet.</returns>
    public bool ReadLatest(Action<LiveResult> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        return _results.ReadLatest(read);
    }

    /// <summary>Has an object join that is shown on the newest frame, as soon as the frame in work is through.</summary>
    /// <inheritdoc cref="VideoSession.Follow"/>
    public Task<FollowedObject> FollowAsync(VisualPrompt prompt, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return BetweenFramesAsync(s => new FollowedObject(s.Follow(prompt, out FrameMasks masks, cancellation), masks), cancellation);
    }

    /// <summary>Corrects an object on the newest frame, as soon as the frame in work is through.</summary>
    /// <inheritdoc cref="VideoSession.Correct"/>
    public Task<FrameMasks> CorrectAsync(int id, VisualPrompt prompt, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return BetweenFramesAsync(s => s.Correct(id, prompt, cancellation), cancellation);
    }

    /// <summary>Has an object leave, as soon as the frame in work is through.</summary>
    /// <inheritdoc cref="VideoSession.Remove"/>
    public Task RemoveAsync(int id, CancellationToken cancellation = default) => BetweenFramesAsync(s =>
    {
        s.Remove(id);
        return true;
    }, cancellation);

    /// <summary>Does something with the session between two frames, such as saving it.</summary>
    /// <param name="action">Called by the live stream's thread; frames wait for it.</param>
    /// <param name="cancellation">Keeps it from being begun.</param>
    /// <exception cref="ObjectDisposedException">The live stream has ended.</exception>
    public Task<T> BetweenFramesAsync<T>(Func<VideoSession, T> action, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(action);
        var command = new LiveCommand<T>(action, cancellation);
        _inbox.Add(command);
        return command.Done;
    }

    /// <summary>Takes no further frames, and ends when those that wait are through; the reader's results end with them.</summary>
    public Task CompleteAsync()
    {
        _inbox.Complete();
        return _ended.Task;
    }

    /// <summary>
    /// Ends the live stream: frames that wait are dropped, one that is in work is cancelled. The session stays as it is then.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _isClosing = true;
        Close(new ObjectDisposedException(nameof(LiveVideo), "The live stream was closed."));
        Volatile.Read(ref _stop).Cancel();
        if (!IsCaller) await _ended.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private ValueTask Push(LiveFrame frame, TimeSpan timestamp, TimeSpan? deadline, CancellationToken cancellation)
    {
        (frame.Timestamp, frame.Pushed) = (timestamp, _options.Time.GetTimestamp());
        (frame.Deadline, frame.Cancellation) = (deadline, cancellation);
        return _inbox.Push(frame);
    }

    private void Close(ObjectDisposedException end)
    {
        // First, so that the reader is told why before the thread, which finds nothing to take any more, says that all is through.
        _results.End(_isClosing ? null : end);
        _inbox.Close(end);
    }

    private void Run()
    {
        Exception? error = null;
        try
        {
            while (_inbox.Take(out LiveFrame? frame, out LiveCommand? command))
            {
                if (command is not null) command.Run(Session);
                else Process(frame!);
            }
            _reAsk.End();
            Tell();
        }
        catch (Exception e)
        {
            error = e;
            _reAsk.End();
        }
        Volatile.Write(ref Session.Live, null);
        _inbox.Close(error ?? new ObjectDisposedException(nameof(LiveVideo), "The live stream has ended."));
        _results.End(error);
        if (error is null) _ended.SetResult();
        else _ended.SetException(error);
    }

    private void Tell()
    {
        while (_inbox.TakeNotice(out LiveNotice? notice)) notice.Run(Session);
    }

    private void Process(LiveFrame frame)
    {
        TimeSpan age = _options.Time.GetElapsedTime(frame.Pushed);
        if (_isClosing || frame.Cancellation.IsCancellationRequested) _inbox.Finish(frame, FrameOutcome.Cancelled);
        else if (frame.Deadline <= age) _inbox.Finish(frame, FrameOutcome.Expired);
        else Publish(frame, age);
    }

    private void Publish(LiveFrame frame, TimeSpan age)
    {
        LiveResult result = _results.Rent();
        TimeSpan timestamp = frame.Timestamp;
        if (Track(frame, age, result))
        {
            // What it shows for the first time was named a moment ago.
            Tell();
            long number = result.Masks.Frame;
            _results.Publish(result);
            _reAsk.After(number, timestamp);
        }
        else _results.Return(result);
    }

    /// <summary>Finds what is on a frame.</summary>
    /// <returns>False if it came to nothing.</returns>
    private bool Track(LiveFrame frame, TimeSpan age, LiveResult result)
    {
        CancellationTokenSource stop = _stop;
        (TimeSpan timestamp, RgbImage? picture) = (frame.Timestamp, frame.Image);
        try
        {
            if (frame.Deadline is { } deadline) stop.CancelAfter(deadline - age);
            using CancellationTokenRegistration registration =
                frame.Cancellation.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), stop);
            FrameMasks masks = Session.NextLive(result.Masks, frame.View, stop.Token);
            TimeSpan latency = _options.Time.GetElapsedTime(frame.Pushed);
            result.Set(masks, picture, timestamp, latency);
            _inbox.Finish(frame, FrameOutcome.Tracked, latency);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            bool cancelled = _isClosing || frame.Cancellation.IsCancellationRequested;
            _inbox.Finish(frame, cancelled ? FrameOutcome.Cancelled : FrameOutcome.Expired);
        }
        catch (Exception e)
        {
            _inbox.Finish(frame, FrameOutcome.Failed);
            // There is nothing left to go on with.
            if (e is ObjectDisposedException) throw;
            _options.Failed?.Invoke(timestamp, e);
        }
        finally
        {
            // Not disposed: whoever closes the stream may be about to cancel it.
            if (!stop.TryReset()) Volatile.Write(ref _stop, new CancellationTokenSource(Timeout.InfiniteTimeSpan, _options.Time));
        }
        return false;
    }
}
