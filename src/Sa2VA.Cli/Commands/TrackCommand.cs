using System.Diagnostics;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Live;
using Sa2VA.Cli.Results;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va track</c>: objects on a camera, a stream, or a video that is played.</summary>
internal static class TrackCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var input = new TextArgument("INPUT", "Camera (camera, camera:1, on Windows camera:NAME), address (rtsp://…, https://…), "
            + "video file, animated GIF or WebP, or folder of frames; what is recorded is played at its pace.");
        var model = new ModelFlags(tracks: true);
        var prompt = new TextListOption(CommonOptions.Prompt, "TEXT",
            "What to follow, such as \"Please segment the red circle.\"; may be given several times.");
        var show = new ShowFlags();
        var look = new NumberOption("--look", "How many first frames the language model sees.", 1, 5, 1);
        var reAsk = new NumberOption("--re-ask", "Ask again after every N tracked frames, and when an object is out of sight for ten: "
            + "finds it again, and newcomers.", 1, int.MaxValue);
        var queue = new ChoiceOption("--queue", "What happens to frames that come faster than they are tracked: the newest takes the place "
            + "of one that waits; of four that wait the oldest is dropped; or all are tracked and the source waits.",
            "latest", "drop-oldest", "wait");
        var deadline = new NumberOption("--deadline", "Skip frames that are not tracked within N milliseconds.", 1, int.MaxValue);
        var rate = new NumberOption("--rate", "Play a file or folder at N frames a second instead of its own pace (of a folder: 24).",
            1, 1000);
        NumberOption maxFrames = MediaFlags.MaxFramesOption();
        var ffmpeg = new TextOption("--ffmpeg", "FILE",
            "The ffmpeg that reads and writes videos; without it the one that SA2VA_FFMPEG names, else the first on the path.");
        var serve = new NumberOption("--serve", "Show it to browsers of this machine at port N (MJPEG); 0 is any that is free.", 0, 65_535);
        var preview = new ChoiceOption("--preview", "Show it in a terminal of 24-bit colours, or not.", "auto", "off");
        var output = new OutputFlags("Folder for masks and overlays of the frames that were tracked.", ffmpeg, isLive: true);
        DecimalOption minScore = CommonOptions.MinScore();
        var json = new Flag(CommonOptions.Json, "Write JSON lines with run-length masks to standard output.");
        var ask = new AskFlags();
        var device = new DeviceFlags();
        return new CliCommand("track", "Follows objects on a camera or stream as it comes; Ctrl+C ends it.",
            "sa2va track camera --model Sa2VA-1B --prompt \"Please segment the cup.\"",
            "sa2va track rtsp://192.168.1.20/stream --model Sa2VA-1B --prompt \"Please segment the dog.\" --re-ask 100 --serve 8080",
            "sa2va track clip.mp4 --model Sa2VA-1B --point 420,310 --queue wait --json")
        {
            Takes = input,
            Accepts = [.. model.All, prompt, .. show.Places, look, reAsk, queue, deadline, rate, maxFrames, ffmpeg, serve, preview,
                .. output.All, minScore, json, .. ask.All, .. device.All],
            Run = async values =>
            {
                output.Check(values, isVideo: true);
                long start = Stopwatch.GetTimestamp();
                IReadOnlyList<string> prompts = values.GetValue(prompt) ?? [];
                VisualPrompt? shown = show.Prompt(values);
                if (prompts.Count == 0 && shown is null)
                    throw new UsageException("Say what to follow with --prompt TEXT, or show it with --point X,Y or "
                        + "--box LEFT,TOP,RIGHT,BOTTOM.");
                if (prompts.Count == 0 && ArgumentReader.Has(values, look))
                    throw new UsageException("--look belongs to --prompt: it is what the language model sees.");
                if (prompts.Count == 0 && ArgumentReader.Has(values, reAsk))
                    throw new UsageException("--re-ask belongs to --prompt: without a question there is none to ask again.");
                var notes = new HeldNotes(terminal);
                var options = new MediaOptions { Ffmpeg = values.GetValue(ffmpeg), OnNote = notes.Add };
                using LiveSource source = LiveSource.Open(terminal, values.GetValue(input)!,
                    values.GetValue(rate) is > 0 and int n ? n : null, MediaFlags.Count(values, maxFrames), options);
                shown?.Check(source.Width, source.Height);
                OutputChoice choice = output.Of(values);
                var session = new TrackSession(terminal, source, start)
                {
                    Request = new TrackRequest
                    {
                        Prompts = prompts, Shown = shown, Ask = ask.Of(values) with { Logits = choice.Content.Has(ResultFormats.Soft) },
                        Look = values.GetValue(look),
                        Queue = values.GetValue(queue) switch
                        {
                            "wait" => QueuePolicy.Wait,
                            "drop-oldest" => QueuePolicy.DropOldest,
                            _ => QueuePolicy.KeepLatest,
                        },
                        Deadline = values.GetValue(deadline) is > 0 and int ms ? TimeSpan.FromMilliseconds(ms) : null,
                        MinScore = values.GetValue(minScore), ReAsk = ArgumentReader.Has(values, reAsk) ? values.GetValue(reAsk) : null,
                    },
                    Model = model.Of(values), Output = choice, Json = values.GetValue(json),
                    Port = ArgumentReader.Has(values, serve) ? values.GetValue(serve) : null,
                    Preview = values.GetValue(preview) is "auto",
                };
                return await session.RunAsync(device.Of(values, notes, model.Of(values)), notes).ConfigureAwait(false);
            },
        };
    }
}
