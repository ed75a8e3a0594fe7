using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>A checkpoint that is stored in few bits, on a virtual GPU: texts, drawn token by token, are the original's.</summary>
public class VirtualGpuQuantizedTests
{
    [Theory]
    [InlineData(Precision.Int8)]
    [InlineData(Precision.Int4)]
    public void Texts_are_those_of_the_original(Precision precision)
    {
        using var folder = new ScratchFolder();
        string original = Fixtures.Model("sa2va-tiny-shapes"), stored = folder.At("stored");
        Quantizer.Write(original, stored, precision, cancellation: TestContext.Current.CancellationToken);
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false },
        });
        Answer loaded = Ask(original), read = Ask(stored);
        Assert.NotEmpty(loaded.TokenIds);
        Assert.Equal(loaded.TokenIds, read.TokenIds);
        Assert.Equal(loaded.Raw, read.Raw);

        // Drawn tokens tell of smaller differences than the likeliest.
        Answer Ask(string model)
        {
            var device = new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = precision };
            using var opened = Sa2VAModel.Load(model, device, cancellation: TestContext.Current.CancellationToken);
            using TextSession session = opened.OpenText();
            return session.Ask("Where is the red circle?", new AskOptions { MaxNewTokens = 8, Temperature = 2, Seed = 7 },
                cancellation: TestContext.Current.CancellationToken);
        }
    }
}
