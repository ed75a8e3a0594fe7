using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <content>Conversations that go on in several ways, and with other pictures.</content>
public abstract partial class ChatSession
{
    /// <summary>
    /// Another session that has all that this one has: what was said, the picture and what was encoded of it, objects with their numbers,
    /// in a video what they remember. Each goes on by itself, with the bits that it would have had alone; what both hold is held once. This
    /// session stays as it is.
    /// </summary>
    /// <returns>A session of the same kind, the caller's to dispose.</returns>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="DeviceMemoryException">The memory budget does not suffice.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public abstract ChatSession Fork();

    /// <summary>
    /// Another session that goes on with what was said here and shows an image: a follow-up asks about it, after all that came before, and
    /// masks are this image's. A question that is no follow-up speaks of the image alone. This session stays as it is.
    /// </summary>
    /// <param name="image">The image; it stands where the next question has <c>&lt;image&gt;</c>, or in front of it.</param>
    /// <returns>A session, the caller's to dispose. Objects are numbered on.</returns>
    /// <exception cref="MediaException">The model cannot see an image of this size.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public ImageSession ForkWithImage(RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        using SessionGate.Entry gate = Enter(SessionPart.Chat);
        return TakeUp(new ImageSession(Model, image));
    }

    /// <summary>
    /// The same with a video: its objects are followed through the frames that are given to the new session later.
    /// </summary>
    /// <param name="languageFrames">What the language model sees of it, 1 to 13 frames.</param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <exception cref="MediaException">No frames.</exception>
    /// <exception cref="PromptException">Too many frames.</exception>
    /// <inheritdoc cref="ForkWithImage"/>
    public VideoSession ForkWithVideo(IEnumerable<RgbImage> languageFrames, VideoOptions? options = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(languageFrames);
        using SessionGate.Entry gate = Enter(SessionPart.Chat);
        IReadOnlyList<RgbImage> tiles = LanguageFrames.Read(languageFrames, Model.Config, cancellation);
        return TakeUp(new VideoSession(Model, tiles, options ?? new VideoOptions()));
    }

    /// <summary>
    /// Takes a question and its answer as said, without asking: a conversation that was kept as text goes on where it was. Nothing is
    /// computed before the next question.
    /// </summary>
    /// <param name="text">The question.</param>
    /// <param name="answer">
    /// What was answered, in which special tokens such as <c>[SEG]</c> have their meaning; objects are not found again.
    /// </param>
    /// <param name="options">Of the question: whether it followed up, regions, special tokens. Null for upstream's.</param>
    /// <exception cref="PromptException">The text does not fit the model or the conversation, or the answer is empty.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public void Recall(string text, string answer, AskOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentNullException.ThrowIfNull(answer);
        options ??= new AskOptions();
        using SessionGate.Entry gate = Enter(SessionPart.Chat);
        CheckQuestion();
        int[] asked = EncodePrompt(text, options, []), said = Model.Prompt.Begin(answer, Model.StopRule);
        if (said.Length == 0) throw new PromptException("The answer that was given is empty; leave its question out, too.");
        Remember(asked, said, ended: false, options.FollowUp, WordsOf(text, options));
    }

    /// <summary>True if the picture is there, and nothing was said of it yet that would be followed up.</summary>
    private bool ShowsNext => Tiles.Count > 0
        && !CollectionsMarshal.AsSpan(_history).ContainsAnyInRange(int.MinValue, -1 - _pictures.LatestRow);

    /// <summary>Has a new session go on from what was said here.</summary>
    /// <typeparam name="T">Its kind.</typeparam>
    /// <param name="fork">
    /// Nothing was said in it yet. Its picture comes behind those of this session; without one, the latest of them is its own, too.
    /// </param>
    private protected T TakeUp<T>(T fork) where T : ChatSession
    {
        (Conversation conversation, ShownPictures pictures) = (fork._conversation, fork._pictures);
        fork._pictures = _pictures.And(pictures.Latest?.Share());
        fork._conversation = _conversation.Fork(fork._pictures);
        if (pictures.Latest is null) fork.Tiles = Tiles;
        fork._history.AddRange(_history);
        fork._turns.AddRange(_turns);
        // What was asked about other pictures cannot be asked again about its own.
        if (pictures.Latest is null) fork._said = _said;
        (fork._answered, fork._ended, fork._objects) = (_answered, _ended, Volatile.Read(ref _objects));
        conversation.Dispose();
        pictures.Dispose();
        return fork;
    }

    /// <summary>Begins what is done with a part of the session; dispose the result to end it.</summary>
    /// <param name="part">What it has to do with.</param>
    /// <param name="cancellation">Checked first.</param>
    private protected SessionGate.Entry Enter(SessionPart part, CancellationToken cancellation = default)
    {
        SessionGate.Entry gate = Gate.Enter(this, part);
        try
        {
            ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
            cancellation.ThrowIfCancellationRequested();
            return gate;
        }
        catch
        {
            gate.Dispose();
            throw;
        }
    }
}
