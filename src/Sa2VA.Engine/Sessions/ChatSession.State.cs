using Sa2VA.Engine.State;

namespace Sa2VA.Engine;

public abstract partial class ChatSession
{
    /// <summary>What was said.</summary>
    private protected ConversationState CaptureConversation() => new([.. _history], _answered, _ended, _objects, [.. _turns]);

    /// <summary>Has nothing be said yet.</summary>
    private protected void ForgetConversation()
    {
        _conversation.Truncate(0);
        _history.Clear();
        _turns.Clear();
        (_answered, _ended, _objects) = (false, false, 0);
    }

    /// <summary>Takes up another session's conversation; in this one nothing was said yet.</summary>
    private protected void Restore(ConversationState state)
    {
        _history.AddRange(state.History);
        _turns.AddRange(state.Turns);
        (_answered, _ended, _objects) = (state.IsAnswered, state.IsEnded, state.Objects);
    }
}
