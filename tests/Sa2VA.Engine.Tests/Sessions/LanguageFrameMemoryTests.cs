using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

[Collection(MeasuredCollection.Name)]
public sealed class LanguageFrameMemoryTests
{
    [Fact]
    public void Language_frames_are_read_one_by_one_and_no_further_than_the_limit()
    {
        int read = 0;
        long most = 0;
        IEnumerable<RgbImage> Endless()
        {
            long before = GC.GetTotalMemory(forceFullCollection: true);
            while (true)
            {
                read++;
                yield return Shapes.Pattern(2000, 1000);
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
        }
        Assert.Contains("1 to 13 frames", Assert.Throws<PromptException>(() => Shapes.Model.OpenVideo(Endless())).Message,
            StringComparison.Ordinal);
        Assert.Equal(14, read);
        // One frame has 6 MB; thirteen would have 78.
        Assert.True(most < 20_000_000, $"{most} bytes were held.");
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => Shapes.Model.OpenVideo(Endless(), cancellation: stop.Token));
    }
}
