using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Samples;

internal static class GettingStarted
{
    /// <summary>A picture, a question, a mask.</summary>
    public static async Task RunAsync(string modelFolder, string imageFile, string maskFile)
    {
        using Sa2VAModel model = Sa2VAModel.Load(modelFolder, new CpuDevice());
        using ImageSession image = model.OpenImage(ImageFile.Load(imageFile));
        Answer answer = await image.AskAsync("Please segment the red circle.");
        Console.WriteLine(answer.Text);
        if (answer.Objects is [{ Mask: { } mask }, ..]) MaskFile.Save(maskFile, mask.ToMask());
        else Console.WriteLine("Nothing was found.");
    }
}
