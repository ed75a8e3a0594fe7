using Sa2VA.Engine;

namespace Sa2VA.Samples;

internal static class KeepSession
{
    /// <summary>A session that goes on after a restart.</summary>
    public static void Run(Sa2VAModel model, VideoSession session, string folder, CancellationToken cancellation)
    {
        string file = Path.Combine(folder, "session.state");
        using (FileStream state = File.Create(file)) session.Save(state);
        // later, perhaps elsewhere
        using FileStream saved = File.OpenRead(file);
        using VideoSession restored = model.RestoreVideo(saved, cancellation);
        Console.WriteLine($"{restored.ObjectCount} objects, {restored.Frames} frames");
    }
}
