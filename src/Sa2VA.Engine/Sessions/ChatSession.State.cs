using Sa2VA.Engine.Language;
using Sa2VA.Engine.State;

namespace Sa2VA.Engine;

public abstract partial class ChatSession
{
    /// <summary>What was said.</summary>
    private protected ConversationState CaptureConversation() =>
        new([.. _pictures.All.SkipLast(1).Select(p => p.Tiles)], [.. _history], _answered, _ended, _objects, [.. _turns], _said);

    /// <summary>Has nothing be said yet.</summary>
    private protected void ForgetConversation()
    {
        _conversation.Truncate(0);
        _history.Clear();
        _turns.Clear();
        (_answered, _ended, _said, _objects) = (false, false, null, 0);
    }

    /// <summary>Takes up another session's conversation; in this one nothing was said yet.</summary>
    private protected void Restore(ConversationState state)
    {
        if (state.Earlier.Count > 0)
        {
            ShownPictures pictures = _pictures;
            _pictures = new ShownPictures([.. state.Earlier.Select(tiles => ImageTokens.Of(Model, tiles)), pictures.Latest!.Share()]);
            _conversation.Dispose();
            _conversation = new Conversation(Model.LanguageModel, _pictures);
            pictures.Dispose();
        }
        _history.AddRange(state.History);
        _turns.AddRange(state.Turns);
        (_answered, _ended, _said, _objects) = (state.IsAnswered, state.IsEnded, state.Said, state.Objects);
    }
}
