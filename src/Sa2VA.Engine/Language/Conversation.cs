using System.Runtime.InteropServices;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// The tokens that one session has run through the language model, and the pages that hold their keys and values. What a new prompt shares
/// at its beginning with the last one, or with a prompt of another session about the same picture, is not computed again. Answer tokens
/// are: a decode step rounds differently from a prompt chunk, and an answer must depend on its prompt alone, not on how the session came
/// to it.
/// </summary>
internal sealed class Conversation : IDisposable
{
    private readonly LanguageModel _model;
    private readonly List<int> _prompt = [], _pages = [];

    /// <param name="model">Model.</param>
    /// <param name="pictures">Whose rows negative ids refer to, or null; not owned.</param>
    public Conversation(LanguageModel model, ShownPictures? pictures) => (_model, Pictures) = (model, pictures);

    /// <summary>One that nobody disposed: its pages must not be lost to others.</summary>
    ~Conversation() => GiveBack();

    /// <summary>Whose rows negative ids refer to, or null.</summary>
    public ShownPictures? Pictures { get; }

    /// <summary>Tokens whose keys and values are there when all that is enqueued is done.</summary>
    public int Length { get; private set; }

    /// <summary>The pages, in order.</summary>
    public ReadOnlySpan<int> Pages => CollectionsMarshal.AsSpan(_pages);

    /// <summary>Prompt tokens computed so far, over all prompts: what prefix reuse saves shows here.</summary>
    public long PrefilledTokens { get; private set; }

    /// <summary>Keeps what is there of a new prompt, all but its last token at most, and forgets the rest.</summary>
    /// <param name="prompt">Token ids, at least one; −1 − j stands for image row j.</param>
    /// <returns>Tokens that are there.</returns>
    public int Begin(ReadOnlySpan<int> prompt) => Begin(prompt, prompt.Length - 1);

    /// <summary>Keeps what is there of a new prompt, and forgets the rest.</summary>
    /// <param name="prompt">Token ids, at least one; −1 − j stands for image row j.</param>
    /// <param name="most">Tokens that may be there: what follows is to be computed, at least the last one.</param>
    /// <returns>Tokens that are there.</returns>
    public int Begin(ReadOnlySpan<int> prompt, int most)
    {
        int shared = Math.Min(CollectionsMarshal.AsSpan(_prompt).CommonPrefixLength(prompt), most);
        _model.Pages.Return(_pages, KvLayout.PagesFor(shared));
        Length = _model.Pages.Find(Pictures, prompt[..(most + 1)], _pages, shared);
        CollectionsMarshal.SetCount(_prompt, Length);
        prompt[..Length].CopyTo(CollectionsMarshal.AsSpan(_prompt));
        return Length;
    }

    /// <summary>Takes pages for new tokens, which may then be written.</summary>
    /// <param name="count">How many, at least 1.</param>
    public void MakeRoom(int count)
    {
        int within = Length % KvLayout.PageRows;
        if (within > 0) _model.Pages.MakeWritable(_model.Queue, _pages, Length / KvLayout.PageRows, within);
        while (_pages.Count < KvLayout.PagesFor(Length + count)) _pages.Add(_model.Pages.Take());
    }

    /// <summary>Counts a chunk of the prompt whose run is enqueued.</summary>
    public void AddPrompt(ReadOnlySpan<int> chunk)
    {
        _prompt.AddRange(chunk);
        Length += chunk.Length;
        PrefilledTokens += chunk.Length;
    }

    /// <summary>Counts a token of the answer whose run is enqueued.</summary>
    public void AddAnswer() => Length++;

    /// <summary>Forgets all but the first tokens of the prompt.</summary>
    public void Truncate(int length)
    {
        _model.Pages.Return(_pages, KvLayout.PagesFor(length));
        CollectionsMarshal.SetCount(_prompt, length);
        Length = length;
    }

    /// <summary>Lets other conversations share the prompt, all of which has been computed.</summary>
    public void Publish() => _model.Pages.Publish(Pictures, CollectionsMarshal.AsSpan(_prompt), _pages);

    /// <summary>
    /// Begins with nothing. Keys and values that are not finite must not stay even where they are masked: a weight of zero does not make
    /// NaN zero.
    /// </summary>
    public void Forget()
    {
        _model.Pages.Withdraw(_pages);
        _model.Pages.Return(_pages, 0);
        _prompt.Clear();
        Length = 0;
    }

    /// <summary>Another conversation that has all that this one has; whichever goes on first copies the page that both stand in.</summary>
    /// <param name="pictures">The same pictures, and perhaps more; null for the very ones of this one.</param>
    public Conversation Fork(ShownPictures? pictures = null)
    {
        var fork = new Conversation(_model, pictures ?? Pictures) { Length = Length };
        fork._prompt.AddRange(_prompt);
        foreach (int page in _pages) fork._pages.Add(_model.Pages.Share(page));
        return fork;
    }

    /// <summary>Gives the pages back.</summary>
    public void Dispose()
    {
        GiveBack();
        GC.SuppressFinalize(this);
    }

    private void GiveBack()
    {
        _model.Pages.Return(_pages, 0);
        _prompt.Clear();
        Length = 0;
        if (_model.Scheduler.IsIdle) _model.Pages.Trim();
    }
}
