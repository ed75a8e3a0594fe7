using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>
/// When a live stream asks again what named its objects: it begins between two frames, by their number and by objects that are lost, and
/// goes on beside them. What is due while it is being asked waits for the next time.
/// </summary>
/// <param name="session">The session.</param>
/// <param name="options">When, and who is told.</param>
/// <param name="inbox">What is told is told between two frames.</param>
internal sealed class LiveReAsk(VideoSession session, LiveOptions options, LiveInbox inbox)
{
    private readonly CancellationTokenSource _stop = new();
    private Task _asking = Task.CompletedTask;

    /// <summary>Asks again if it is time to, behind a frame.</summary>
    public void After(long frame, TimeSpan timestamp)
    {
        if (options.ReAsk is { } choices && IsDue(choices, frame) && _asking.IsCompleted) _asking = AskAsync(choices, timestamp);
    }

    /// <summary>Gives up what is being asked, and waits for that.</summary>
    public void End()
    {
        _stop.Cancel();
        _asking.Wait();
    }

    private bool IsDue(ReAskOptions choices, long frame)
    {
        long lost = session.LostFrames;
        return choices.EveryFrames > 0 && (frame + 1) % choices.EveryFrames == 0
            || choices.WhenLostFor > 0 && lost > 0 && lost % choices.WhenLostFor == 0;
    }

    private async Task AskAsync(ReAskOptions choices, TimeSpan timestamp)
    {
        try
        {
            await session.ReAskLiveAsync(choices, Tell, _stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (SessionBusyException)
        {
            // Somebody else is asking again.
        }
        catch (Exception e)
        {
            if (options.Failed is { } failed) inbox.Add(new LiveNotice(() => failed(timestamp, e)));
        }
    }

    // Before the next frame can begin, which has the newcomers.
    private void Tell(ReAskResult result)
    {
        if (options.ReAsked is { } told) inbox.Add(new LiveNotice(() => told(result)));
    }
}
