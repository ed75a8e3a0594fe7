using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// Models that are closed, or whose GPU is lost, in the middle of an answer: the call ends with an error, the process goes on.
/// </summary>
public sealed class VirtualGpuEndTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_model_that_is_closed_in_the_middle_of_an_answer_ends_it()
    {
        using VirtualDriver driver = Driver();
        int ended = 0;
        for (int token = 0; token < 6; token++)
        {
            Sa2VAModel model = Load(driver, 0);
            TextSession session = model.OpenText();
            Task? closing = null;
            Exception? error = await Record.ExceptionAsync(() =>
                Ask(session, token, () => closing = Task.Run(async () => await model.DisposeAsync())));
            // News of a token may come when the answer is there already.
            Assert.True(error is null or ObjectDisposedException, $"{error}");
            if (error is not null) ended++;
            await closing!;
            await session.DisposeAsync();
            Assert.Equal(default, driver.Live);
        }
        Assert.NotEqual(0, ended);
    }

    [Fact]
    public async Task A_GPU_that_is_lost_in_the_middle_of_an_answer_ends_it_and_no_other()
    {
        using VirtualDriver driver = Driver();
        await using Sa2VAModel elsewhere = Load(driver, 1);
        await using (Sa2VAModel model = Load(driver, 0))
        {
            await using TextSession session = model.OpenText();
            Exception? error = await Record.ExceptionAsync(() => Ask(session, 0, () => driver.Inject.LoseDevice(0)));
            Assert.True(error is null or DeviceException, $"{error}");
            await Assert.ThrowsAsync<DeviceException>(() => Ask(session, int.MaxValue, () => { }));
        }
        await using TextSession other = elsewhere.OpenText();
        Assert.NotEmpty(await Ask(other, int.MaxValue, () => { }));
    }

    /// <summary>Does something when a token of the answer has come.</summary>
    private static async Task<string> Ask(TextSession session, int atToken, Action act)
    {
        int tokens = 0;
        var options = new AskOptions
        {
            MaxNewTokens = 12,
            Progress = new Told(p =>
            {
                if (p.Stage == AskStage.Decode && tokens++ == atToken) act();
            }),
        };
        return (await session.AskAsync("Hello", options, Cancellation)).Raw;
    }

    private static Sa2VAModel Load(VirtualDriver driver, int device) => Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"),
        new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Index = device, Precision = Precision.BFloat16 });

    private static VirtualDriver Driver() => new(new VirtualDriverOptions
    {
        Devices = [VirtualDeviceKind.H100, VirtualDeviceKind.H100],
        Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false },
    });

    private sealed class Told(Action<AskProgress> tell) : IProgress<AskProgress>
    {
        public void Report(AskProgress value) => tell(value);
    }
}
