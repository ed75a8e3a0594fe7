using System.CommandLine;

namespace Sa2VA.Cli;

/// <summary>Options that several commands have; each command makes its own.</summary>
internal static class CommonOptions
{
    public static Option<string> Model() => new("--model") { Description = "Folder of a checkpoint: config.json, tokenizer files, safetensors.", HelpName = "DIR", Required = true };

    public static Option<string?> Image() => new("--image") { Description = "Image: PNG, JPEG, WebP, BMP or GIF (first frame).", HelpName = "FILE" };

    public static Option<string?> Video() => new("--video") { Description = "Video: a folder of frames, an animated GIF or WebP.", HelpName = "DIR|FILE" };

    public static Option<string?> Frames() => new("--frames") { Description = "Frames that the language model sees: first (five), uniform (five), or numbers from 0 such as 0,10,20.", HelpName = "first|uniform|LIST" };

    public static Option<int?> MaxFrames() => new("--max-frames") { Description = "Only the first N frames.", HelpName = "N" };

    public static Option<string> Device()
    {
        var option = new Option<string>("--device") { Description = "Where to compute.", DefaultValueFactory = _ => "auto" };
        option.AcceptOnlyFromAmong("auto", "cpu");
        return option;
    }

    public static Option<int> Threads() => new("--threads") { Description = "Threads; 0 is one per processor.", HelpName = "N", DefaultValueFactory = _ => 0 };

    /// <summary>Media or the error that none was given.</summary>
    public static MediaInput Required(MediaInput? media) => media ?? throw new UsageException("Give a picture with --image FILE, or a video with --video DIR|FILE.");
}
