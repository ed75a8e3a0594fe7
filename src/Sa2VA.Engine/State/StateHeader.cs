using Sa2VA.Core;

namespace Sa2VA.Engine.State;

/// <summary>What a session's state begins with (docs/session-state.md): what it is, and whose.</summary>
internal static class StateHeader
{
    /// <summary>The version that is written and read.</summary>
    public const int Version = 2;

    private const int MostNameBytes = 4096;

    /// <summary>As the first bytes of PNG: a transfer that changes line ends or strips a bit shows here.</summary>
    private static ReadOnlySpan<byte> Magic => [0x89, (byte)'S', (byte)'2', (byte)'V', 0x0D, 0x0A, 0x1A, 0x0A];

    public static void Write(StateWriter writer, SessionKind kind, Sa2VAModel model)
    {
        writer.WriteAll(Magic);
        writer.Write(Version);
        writer.Write((byte)kind);
        writer.WriteText(model.Name);
        writer.Write((byte)model.Precision);
        writer.WriteAll<byte>(model.Fingerprint);
    }

    /// <summary>Refuses what is no state of such a session of this model.</summary>
    public static void Check(StateReader reader, SessionKind kind, Sa2VAModel model)
    {
        if (!reader.ReadAll<byte>("what it is", Magic.Length).AsSpan().SequenceEqual(Magic))
            throw new StateException("This is not the state of a session; give a stream that a session was saved to, at its beginning.");
        int version = reader.Read<int>("its version");
        if (version != Version)
        {
            throw new StateException(FormattableString.Invariant($"The session's state is of version {version}, and this engine reads ")
                + FormattableString.Invariant($"version {Version}. Restore it with the release that saved it, or begin a new session."));
        }
        int saved = reader.Read<byte>("the kind of session");
        if (saved != (int)kind)
            throw new StateException($"The state is {Named((SessionKind)saved)}; it cannot be restored as {Named(kind)}.");
        string name = reader.ReadText("the model's name", MostNameBytes);
        int precision = reader.Read<byte>("the precision");
        if (precision != (int)model.Precision)
        {
            throw new StateException($"The session was saved in {(Precision)precision}, and this model computes in {model.Precision}: "
                + "it would go on with other numbers. Load the model in the precision of the state.");
        }
        if (!reader.ReadAll<byte>("the model's fingerprint", ModelFingerprint.Length).AsSpan().SequenceEqual(model.Fingerprint))
        {
            throw new StateException($"The session was saved with the model '{name}', and this one, '{model.Name}', has another "
                + "configuration or other weights. Load the model of the state.");
        }
    }

    private static string Named(SessionKind kind) => kind switch
    {
        SessionKind.Text => "that of a text session",
        SessionKind.Image => "that of an image session",
        SessionKind.Video => "that of a video session",
        _ => "of no kind of session that is known",
    };
}

/// <summary>Kinds of sessions, by the numbers that states have.</summary>
internal enum SessionKind : byte
{
    /// <summary><see cref="TextSession"/>.</summary>
    Text = 1,
    /// <summary><see cref="ImageSession"/>.</summary>
    Image = 2,
    /// <summary><see cref="VideoSession"/>.</summary>
    Video = 3,
}
