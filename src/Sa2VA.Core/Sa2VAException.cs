namespace Sa2VA.Core;

/// <summary>
/// Base of every error that the engine raises on purpose. The message is one line, whatever it quotes, and names the thing, the place and
/// the remedy.
/// </summary>
public class Sa2VAException : Exception
{
    /// <summary>Creates the exception.</summary>
    public Sa2VAException(string message, Exception? inner = null) : base(OneLine(message), inner) { }

    // Names and values out of a file may hold line ends and other control characters.
    private static string OneLine(string message) =>
        message.Any(char.IsControl) ? string.Concat(message.Select(c => char.IsControl(c) ? ' ' : c)) : message;
}

/// <summary>A checkpoint folder, its configuration, its tensors or its tokenizer cannot be used.</summary>
public sealed class CheckpointException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>An image, a video or a mask cannot be read or written.</summary>
public sealed class MediaException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>A prompt, a region mask or a follow-up does not fit the model or the conversation.</summary>
public sealed class PromptException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>
/// A session's state cannot be restored: it is no state, of another version, of another model or precision, cut off, or damaged. Nothing
/// was restored.
/// </summary>
public sealed class StateException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>A session was called while another call of it is running. Wait for that one, or open a session per caller.</summary>
public sealed class SessionBusyException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>A device cannot be used, or (<see cref="DeviceMemoryException"/>) its memory does not suffice.</summary>
public class DeviceException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>
/// A device's memory, the budget or what was set aside for all sessions does not suffice. The engine is whole: less, or once other sessions
/// are closed the same, may be asked for.
/// </summary>
public sealed class DeviceMemoryException(string message, Exception? inner = null) : DeviceException(message, inner);

/// <summary>
/// A computed result is NaN or infinite: the weights do not belong together, or numbers grew beyond what floats hold. The message names the
/// stage. (A stored weight that is not finite is a <see cref="CheckpointException"/> when it is loaded.)
/// </summary>
public sealed class NonFiniteException(string message, Exception? inner = null) : Sa2VAException(message, inner);

/// <summary>A graph is wired wrongly; the message names the op and the tensor.</summary>
public sealed class GraphException(string message, Exception? inner = null) : Sa2VAException(message, inner);
