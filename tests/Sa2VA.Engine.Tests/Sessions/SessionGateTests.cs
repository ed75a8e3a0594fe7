using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>Who may use which part of a session when, and who waits for whom.</summary>
public sealed class SessionGateTests
{
    [Fact]
    public async Task A_change_waits_for_the_frame_in_work_and_whoever_comes_then_waits_for_the_change()
    {
        var gate = new SessionGate(() => { });
        SessionGate.Entry frame = gate.Enter(this, SessionPart.Stream);
        bool changed = false;
        Task<SessionGate.Entry> first = gate.EnterBetweenFramesAsync(), second = gate.EnterBetweenFramesAsync();
        Task change = gate.BetweenFramesAsync(() => changed = true);
        Assert.False(first.IsCompleted || second.IsCompleted || changed);
        Assert.Throws<SessionBusyException>(() => gate.Enter(this, SessionPart.Stream));
        frame.Dispose();
        Assert.True(changed);
        await change;
        SessionGate.Entry entry = await first;
        Assert.False(second.IsCompleted);
        Task<SessionGate.Entry> next = Task.Run(() => gate.Enter(this, SessionPart.Stream), TestContext.Current.CancellationToken);
        using (gate.Enter(this, SessionPart.Chat))
        {
            // What is busy for other reasons is not waited for.
            Assert.Throws<SessionBusyException>(() => gate.Enter(this, SessionPart.All));
            Assert.Throws<SessionBusyException>(() => gate.Enter(this, SessionPart.Chat));
        }
        changed = false;
        change = gate.BetweenFramesAsync(() => changed = true);
        Assert.False(changed || next.IsCompleted);
        entry.Dispose();
        await change;
        entry = await second;
        Assert.False(next.IsCompleted);
        entry.Dispose();
        (await next).Dispose();
        gate.Close();
        await gate.Released;
    }

    [Fact]
    public async Task A_session_that_is_closed_during_a_change_ends_with_it()
    {
        bool isReleased = false;
        var gate = new SessionGate(() => isReleased = true);
        SessionGate.Entry aside = gate.Enter(this, SessionPart.Aside), entry = await gate.EnterBetweenFramesAsync();
        Task<SessionGate.Entry> next = Task.Run(() => gate.Enter(this, SessionPart.Stream), TestContext.Current.CancellationToken);
        gate.Close();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => next);
        Assert.True(gate.IsClosing);
        entry.Dispose();
        Assert.False(isReleased);
        aside.Dispose();
        await gate.Released;
        Assert.True(isReleased);
    }
}
