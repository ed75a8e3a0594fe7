using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Samples;

internal static class SegmentImage
{
    /// <summary>Asks about an image, saves each object's mask, and asks on.</summary>
    public static async Task RunAsync(string modelFolder, string imageFile, string outFolder, CancellationToken cancellation)
    {
        using Sa2VAModel model = Sa2VAModel.Load(modelFolder, new CpuDevice());
        using ImageSession image = model.OpenImage(ImageFile.Load(imageFile));

        await foreach (AnswerUpdate update in image.AskStreamAsync("Please segment the red circle.", cancellation: cancellation))
        {
            if (update is TextUpdate piece) Console.Write(piece.Text);
            if (update is not ObjectUpdate { Object: { Mask: { } mask } o }) continue;
            MaskFile.Save(Path.Combine(outFolder, $"mask-{o.Id}.png"), mask.ToMask());
            Console.WriteLine($"\nobject {o.Id}: {mask.Area} pixels, score {mask.Score:F2}");
        }

        // The same picture, nothing encoded again; FollowUp keeps what was said.
        Answer next = await image.AskAsync("Please segment the blue star.", new AskOptions { FollowUp = true }, cancellation);
        Console.WriteLine(next.Text);
    }
}
