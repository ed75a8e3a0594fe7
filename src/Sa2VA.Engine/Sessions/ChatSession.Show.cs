using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Engine;

public abstract partial class ChatSession
{
    /// <summary>Begins a new conversation about other pictures, which <see cref="LanguageTiles"/> gives; objects are numbered on.</summary>
    /// <param name="tiles">Tokens of each.</param>
    private protected void Show(IReadOnlyList<TokenGrid> tiles)
    {
        (Conversation conversation, ImageTokens? images) = (_conversation, _images);
        _images = new ImageTokens(Model.VisionTower, tiles, LanguageTiles);
        _conversation = new Conversation(Model.LanguageModel, _images);
        Tiles = tiles;
        _history.Clear();
        _turns.Clear();
        (_answered, _ended) = (false, false);
        _prefilledBefore += conversation.PrefilledTokens;
        conversation.Dispose();
        images?.Dispose();
    }
}
