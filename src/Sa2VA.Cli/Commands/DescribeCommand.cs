using System.Diagnostics;
using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va describe</c>: a caption whose phrases have masks.</summary>
internal static class DescribeCommand
{
    /// <summary>
    /// What the evaluation asks for grounded captions (docs/model/generation.md#grounded-captions), without the spaces of its line break.
    /// </summary>
    public const string GroundedCaptionPrompt =
        "Could you please give me a brief description of the image? "
        + "Please respond with interleaved segmentation masks for the corresponding parts of the answer.";

    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags(tracks: true);
        var media = new MediaFlags(several: true);
        var prompt = new TextOption(CommonOptions.Prompt, "TEXT", "Another wording of the request.");
        var output = new OutputFlags("Folder for masks and overlays.", media.Ffmpeg);
        DecimalOption minScore = CommonOptions.MinScore();
        var json = new Flag(CommonOptions.Json, "Write JSON lines with run-length masks, as segment does.");
        var ask = new AskFlags();
        var device = new DeviceFlags();
        return new CliCommand("describe", "Captions a picture; each phrase has the colour of its mask.",
            "sa2va describe --model Sa2VA-1B --image street.jpg --out result")
        {
            Accepts = [.. model.All, .. media.All, prompt, .. output.All, minScore, json, .. ask.All, .. device.All],
            Run = async values =>
            {
                output.Check(values, isVideo: values.GetValue(media.Video) is not null);
                long start = Stopwatch.GetTimestamp();
                using MediaList list = media.Open(terminal, values);
                var job = new SegmentJob(terminal, new SegmentRequest
                {
                    Command = "describe", Start = start, Media = list, Model = model.Of(values),
                    Prompts = [values.GetValue(prompt) ?? GroundedCaptionPrompt], Output = output.Of(values), Json = values.GetValue(json),
                    MinScore = values.GetValue(minScore), Ask = ask.Of(values), Device = device.Of(values, list.Notes, model.Of(values)),
                    Print = (_, answer) => GroundedCaption.Print(terminal, answer), NoPhrase = "(no phrase)",
                });
                return await job.RunAsync().ConfigureAwait(false);
            },
        };
    }
}
