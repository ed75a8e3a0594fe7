using System.CommandLine;
using Sa2VA.Cli.Arguments;
using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>The options that say how a recorded video is followed.</summary>
internal sealed class RecordedFlags
{
    private readonly ChoiceOption _protocol = ProtocolOption("How words find a video's objects");

    private readonly ChoiceOption _direction = new("--direction",
        "Which way a video's objects are followed, from the frame --at: forward, backward, or both.", "forward", "backward", "both");

    /// <summary>The option that chooses a protocol.</summary>
    /// <param name="what">What it decides.</param>
    public static ChoiceOption ProtocolOption(string what) => new("--protocol", what + ": as the released code does, on its first frames; "
        + "or consistent with training (Sa2VA-i), on frames spread over the video.", "upstream", "consistent");

    /// <summary>What was chosen by it.</summary>
    public static VideoProtocol ProtocolOf(ParseResult values, ChoiceOption option) =>
        values.GetValue(option) is "consistent" ? VideoProtocol.Consistent : VideoProtocol.Upstream;

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_protocol, _direction];

    /// <summary>What was chosen; null for a video that is followed as a stream, and for images.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="isVideo">True if there is a video.</param>
    /// <param name="at">The frame that was given with --at; null for none.</param>
    public RecordedOptions? Of(ParseResult values, bool isVideo, int? at)
    {
        if (!isVideo && (ArgumentReader.Has(values, _protocol) || ArgumentReader.Has(values, _direction)))
            throw new UsageException("--protocol and --direction belong to --video.");
        VideoProtocol protocol = ProtocolOf(values, _protocol);
        TrackDirection direction = values.GetValue(_direction) switch
        {
            "backward" => TrackDirection.Backward,
            "both" => TrackDirection.Both,
            _ => TrackDirection.Forward,
        };
        if (!isVideo || (protocol, direction) == (VideoProtocol.Upstream, TrackDirection.Forward)) return null;
        if (direction == TrackDirection.Both && at is null)
            throw new UsageException("--direction both needs the frame to begin on; give it with --at FRAME.");
        return new RecordedOptions
        {
            Protocol = protocol, Direction = direction, Start = direction == TrackDirection.Forward ? null : at,
        };
    }
}
