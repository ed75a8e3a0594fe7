using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Evaluation;

/// <summary>A dataset with its measures.</summary>
internal interface IEvaluation
{
    /// <summary>Samples in all.</summary>
    int Count { get; }

    /// <summary>Computes the samples that are not done.</summary>
    void Run(EvalRun run);

    /// <summary>The measures, of the lines of all samples.</summary>
    IReadOnlyList<(string Name, double Value)> Summary(IReadOnlyCollection<JsonElement> samples);
}

/// <summary>What computing samples needs.</summary>
internal sealed class EvalRun(Terminal terminal, Sa2VAModel model, EvalLog log, int count, int most)
{
    private int _fresh;

    /// <summary>Where results go.</summary>
    public EvalLog Log => log;

    /// <summary>Whether a sample needs no work: it is done, or beyond what is to be done this time.</summary>
    public bool IsDone(string id) => log.Samples.ContainsKey(id) || _fresh >= most;

    /// <summary>Opens an image.</summary>
    public ImageSession Open(string file) => model.OpenImage(ImageFile.Load(file));

    /// <summary>How words find a video's objects.</summary>
    public VideoProtocol Protocol { get; init; }

    /// <summary>Opens a video.</summary>
    public ChatSession Open(VideoSource video) => Protocol == VideoProtocol.Upstream
        ? model.OpenVideo(FrameSelection.First.Indices(video.FrameCount).Select(video.Read))
        : model.OpenRecorded(video.FrameCount, video.Read, new RecordedOptions { Protocol = Protocol }, terminal.Cancellation);

    /// <summary>Follows what was named through all frames, in order.</summary>
    public IEnumerable<FrameMasks> Follow(ChatSession session, VideoSource video) => session is RecordedSession recorded
        ? recorded.TrackAsync(cancellation: terminal.Cancellation).ToBlockingEnumerable(terminal.Cancellation)
        : Enumerable.Range(0, video.FrameCount).Select(i => ((VideoSession)session).Next(video.Read(i), terminal.Cancellation));

    /// <summary>Asks anew about what a session shows.</summary>
    public Answer Ask(ChatSession session, string prompt) => session.Ask(prompt, new AskOptions(), terminal.Cancellation);

    /// <summary>Counts a sample.</summary>
    public void Done()
    {
        _fresh++;
        terminal.Progress.Count("Evaluating", "samples", log.Samples.Count, count);
    }
}
