using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Samples;

internal static class SegmentImage
{
    /// <summary>Asks about an image, saves each object's mask, and asks on.</summary>
    public static void Run(string modelFolder, string imageFile, string outFolder, CancellationToken cancellation)
    {
        using Sa2VAModel model = Sa2VAModel.Load(modelFolder, new CpuDevice());
        using ImageSession image = model.OpenImage(ImageFile.Load(imageFile));

        Answer answer = image.Ask("Please segment the red circle.", new AskOptions { OnText = Console.Write }, cancellation);
        Console.WriteLine();
        foreach (AnswerObject o in answer.Objects)
        {
            MaskFile.Save(Path.Combine(outFolder, $"mask-{o.Id}.png"), o.Mask!.ToMask());
            Console.WriteLine($"object {o.Id}: {o.Mask.Area} pixels, score {o.Mask.Score:F2}");
        }

        // The same picture, nothing encoded again; FollowUp keeps what was said.
        Answer next = image.Ask("Please segment the blue star.", new AskOptions { FollowUp = true }, cancellation);
        Console.WriteLine(next.Text);
    }
}
