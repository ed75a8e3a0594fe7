using Sa2VA.Engine;

namespace Sa2VA.Tests.State;

/// <summary>States in memory.</summary>
internal static class States
{
    /// <summary>A session's, to be read from its beginning.</summary>
    public static MemoryStream Of(VideoSession session)
    {
        var stream = new MemoryStream();
        session.Save(stream);
        stream.Position = 0;
        return stream;
    }
}
