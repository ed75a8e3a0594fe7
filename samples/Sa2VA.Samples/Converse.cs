using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Samples;

internal static class Converse
{
    /// <summary>A conversation that goes on in two ways, and then about a video.</summary>
    public static async Task RunAsync(Sa2VAModel model, string imageFile, IEnumerable<RgbImage> frames, CancellationToken cancellation)
    {
        using ImageSession image = model.OpenImage(ImageFile.Load(imageFile));
        Answer circle = await image.AskAsync("Please segment the red circle.", cancellation: cancellation);

        // Two ways to go on; what both have in common is held once.
        var followUp = new AskOptions { FollowUp = true };
        using ImageSession other = image.Fork();
        Answer star = await image.AskAsync("And the blue star, please.", followUp, cancellation);
        Answer what = await other.AskAsync("What else can you see?", followUp, cancellation);

        // The conversation goes on about a video, whose frames may be pushed as they come.
        using VideoSession video = other.ForkWithVideo(frames, cancellation: cancellation);
        Answer there = await video.AskAsync("Is it here, too? Please segment it.", followUp, cancellation);
        foreach (Answer answer in (Answer[])[circle, star, what, there])
            Console.WriteLine(answer.Found ? answer.Text : $"{answer.Text} (nothing found)");
    }
}
