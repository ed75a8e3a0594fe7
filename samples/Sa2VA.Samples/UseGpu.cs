using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Samples;

internal static class UseGpu
{
    /// <summary>The same model on a GPU.</summary>
    public static void Load(Action<Sa2VAModel> use)
    {
        using Sa2VAModel model = Sa2VAModel.Load("Sa2VA-1B", new CudaDevice { Precision = Precision.BFloat16 });
        use(model);
    }

    /// <summary>Virtual GPUs in place of the driver's.</summary>
    public static void OnVirtualGpus(Action<CudaDriver> use)
    {
        using var gpu = new VirtualDriver(new() { Devices = [VirtualDeviceKind.A100, VirtualDeviceKind.Rtx4090], MemoryBytes = 1 << 30 });
        var driver = new CudaDriver(gpu.Name, gpu.Export);
        use(driver);
    }

    /// <summary>One kernel on a virtual GPU.</summary>
    public static LaunchCounters Scale(string ptxFile, float[] values, float[] result)
    {
        using var device = new VirtualDevice(new() { Seed = 7 });
        VirtualKernel kernel = device.LoadModule(File.ReadAllText(ptxFile))["scale"];
        ulong x = device.Upload<float>(values, "x"), y = device.Allocate(4 * values.Length, "y");
        LaunchCounters counters = device.Launch(kernel, new((values.Length + 255) / 256), new(256), 0, [x, y, values.Length]);
        device.Read<float>(y, result);
        return counters;
    }
}
