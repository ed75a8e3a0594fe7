using Sa2VA.Engine.Language;

namespace Sa2VA.Engine;

public abstract partial class ChatSession
{
    /// <summary>Begins a new conversation about another picture; objects are numbered on.</summary>
    /// <param name="picture">Owned from now on.</param>
    private protected void Show(ImageTokens picture)
    {
        (Conversation conversation, ShownPictures pictures) = (_conversation, _pictures);
        _pictures = new ShownPictures(picture);
        _conversation = new Conversation(Model.LanguageModel, _pictures);
        Tiles = picture.Grids;
        _history.Clear();
        _turns.Clear();
        (_answered, _ended, _said) = (false, false, null);
        _prefilledBefore += conversation.PrefilledTokens;
        conversation.Dispose();
        pictures.Dispose();
    }
}
