using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>What bulk copies cannot have is told in words before the driver is asked; what they can have the driver takes.</summary>
public sealed unsafe class TensorMapLimitTests
{
    private static readonly View Right = new()
    {
        Data = 4096, Rows = 100, Columns = 160, RowStride = 320, Type = DType.BF16, Length = -1,
    };

    /// <summary>Encodes a map of a matrix.</summary>
    /// <returns>The error, or null; the driver was asked only where there is none.</returns>
    private static string? Encode(View matrix, int boxRows = 64, int headColumns = 0, int shift = 0)
    {
        using var gpu = new VirtualDriver(new() { Devices = [VirtualDeviceKind.H100] });
        var driver = new CudaDriver(gpu.Name, gpu.Export);
        driver.Init(0);
        using var context = new CudaContext(driver, DeviceFacts.Read(driver, 0, out _)!);
        using CudaContext.Scope scope = context.Enter();
        byte* room = stackalloc byte[3 * TensorMap.Bytes];
        TensorMap* map = (TensorMap*)(room + (-(nint)room & (TensorMap.Alignment - 1)) + shift);
        try
        {
            if (headColumns == 0) TensorMap.Encode(context, map, matrix, boxRows, "k");
            else TensorMap.EncodeNarrow(context, map, matrix, boxRows, headColumns, "k");
            Assert.Equal(1, gpu.Calls("cuTensorMapEncodeTiled"));
            return null;
        }
        catch (DeviceException e)
        {
            Assert.Equal(0, gpu.Calls("cuTensorMapEncodeTiled"));
            Assert.StartsWith($"Kernel k cannot copy a matrix of {matrix.Rows} rows and {matrix.Columns} columns: ", e.Message);
            return e.Message;
        }
    }

    [Fact]
    public void Limits_are_asserted_before_the_driver_is_asked()
    {
        Assert.Contains("it holds F32, not BF16", Encode(Right with { Type = DType.F32 }));
        Assert.Contains("it begins at 0x1008, no multiple of 16 bytes", Encode(Right with { Data = 4104 }));
        Assert.Contains("it is empty", Encode(Right with { Rows = 0 }));
        Assert.Contains("it is empty", Encode(Right with { Columns = 0 }));
        Assert.Contains("its rows begin 648 bytes apart, no multiple of 16", Encode(Right with { RowStride = 324 }));
        Assert.Contains("a box of 257 rows is not one of 1 to 256", Encode(Right, boxRows: 257));
        Assert.Contains("a box of 0 rows", Encode(Right, boxRows: 0));
        Assert.Contains("lies at no multiple of 64 bytes", Encode(Right, shift: 32));
        Assert.Contains("its 160 columns are no whole heads of 48", Encode(Right, headColumns: 48));
        Assert.Contains("its heads of 20 columns do not begin at multiples of 16 bytes", Encode(Right, headColumns: 20));
        Assert.Contains("its rows begin 648 bytes apart", Encode(Right with { RowStride = 324 }, headColumns: 40));
    }

    [Fact]
    public void The_driver_takes_what_is_within_them()
    {
        Assert.Null(Encode(Right));
        Assert.Null(Encode(Right with { Data = 4112, Rows = 1, RowStride = 168 }, boxRows: 256));
        Assert.Null(Encode(Right with { Columns = 1 }, boxRows: 1));
        Assert.Null(Encode(Right, boxRows: 256, headColumns: 40));
        Assert.Null(Encode(Right, headColumns: 160));
    }
}
