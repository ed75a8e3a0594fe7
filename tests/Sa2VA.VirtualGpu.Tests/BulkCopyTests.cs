namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Bulk copies of boxes of tensors: bounds, strides, swizzles, compared with a plain loop over the box.</summary>
public sealed class BulkCopyTests
{
    private static byte[] Random(int count)
    {
        var bytes = new byte[count];
        new Random(1).NextBytes(bytes);
        return bytes;
    }

    /// <summary>Every element of the box by its coordinates.</summary>
    private static byte[] Expected(byte[] tensor, TensorMap map, int[] at)
    {
        int rank = map.Dimensions.Count, size = map.ElementBytes;
        int[] step = [.. Enumerable.Range(0, rank).Select(d => d == 0 || map.Steps is null ? 1 : (int)map.Steps[d])];
        int[] count = [.. Enumerable.Range(0, rank).Select(d => ((int)map.Box[d] + step[d] - 1) / step[d])];
        int all = count.Aggregate(size, (x, y) => x * y);
        var box = new byte[all];
        for (int n = 0; n < all / size; n++)
        {
            int rest = n;
            long offset = 0;
            bool inside = true;
            for (int d = 0; d < rank; d++)
            {
                long c = at[d] + rest % count[d] * step[d];
                rest /= count[d];
                inside &= c >= 0 && c < (long)map.Dimensions[d];
                offset += c * (d == 0 ? size : (long)map.Strides[d - 1]);
            }
            int line = n * size / 128, place = n * size;
            if (map.Swizzle > 0)
            {
                int pieces = map.Swizzle / 16, piece = place / 16 % pieces;
                place = place - piece * 16 + (piece ^ line % pieces) * 16;
            }
            for (int k = 0; k < size && inside; k++) box[place + k] = tensor[offset + k];
        }
        return box;
    }

    private static void Check(TensorMap map, int tensorBytes, params int[][] corners)
    {
        byte[] tensor = Random(tensorBytes);
        int bytes = Expected(tensor, map, corners[0]).Length;
        string text = HopperKernel.Box(map.Dimensions.Count, bytes);
        for (int n = 0; n < corners.Length; n++)
            Assert.Equal(Expected(tensor, map, corners[n]),
                HopperKernel.Copy(text, map, d => d.Upload<byte>(tensor, "tensor"), bytes, corners[n], seed: n));
    }

    [Theory]
    [MemberData(nameof(TestBoxes.AcrossEdges), MemberType = typeof(TestBoxes))]
    public void What_of_a_box_lies_outside_is_zero(int swizzle, int wide) =>
        Check(TestBoxes.Flat(swizzle, wide), TestBoxes.FlatBytes, TestBoxes.FlatCorners);

    [Fact]
    public void Boxes_have_up_to_five_dimensions()
    {
        foreach ((TensorMap map, int bytes, int[][] corners) in TestBoxes.Deep) Check(map, bytes, corners);
    }

    [Fact]
    public void Steps_skip_elements_of_the_tensor() =>
        // As a convolution of stride 2 with a border takes its input: the box is told in elements of the tensor.
        Check(new()
        {
            Address = 0, ElementBytes = 2, Dimensions = [32, 20, 20, 1], Strides = [64, 1280, 25600], Box = [32, 16, 16, 1],
            Steps = [1, 2, 2, 1], Swizzle = 64,
        }, 25600, [0, -1, -1, 0], [0, 5, 18, 0], [0, 0, 0, 0]);

    [Fact]
    public void A_plain_copy_brings_what_it_says()
    {
        byte[] bytes = Random(1024);
        string text = HopperKernel.Box(1, 1024).Replace(
            "cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes [%r6], [%rd2, { %r1 }], [%r7];",
            "ld.param.u64 %rd7, [map+8];\n"
            + "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r6], [%rd7], 1024, [%r7];", StringComparison.Ordinal);
        var map = new TensorMap { Address = 0, ElementBytes = 1, Dimensions = [1024], Strides = [], Box = [256] };
        Assert.Equal(bytes, HopperKernel.Copy(text, map, d => d.Upload<byte>(bytes, "tensor"), 1024, [0]));
    }

    [Fact]
    public void A_tensor_that_is_larger_than_its_memory_is_out_of_bounds()
    {
        var map = new TensorMap { Address = 0, ElementBytes = 2, Dimensions = [64, 32], Strides = [128], Box = [64, 32] };
        GpuFaultException fault = Assert.Throws<GpuFaultException>(() =>
            HopperKernel.Copy(HopperKernel.Box(2, 4096), map, d => d.Upload<byte>(Random(4000), "tensor"), 4096, [0, 0]));
        Assert.Equal(FaultKind.OutOfBounds, fault.Kind);
        Assert.Contains("of tensor (4000 bytes)", fault.Message, StringComparison.Ordinal);
        Assert.Contains("cp.async.bulk.tensor.2d", fault.Message, StringComparison.Ordinal);
        fault = Assert.Throws<GpuFaultException>(() =>
            HopperKernel.Copy(HopperKernel.Box(2, 4096), map, d => d.Allocate(4096, "tensor"), 4096, [0, 0]));
        Assert.Equal(FaultKind.Uninitialised, fault.Kind);
    }

    /// <summary>As of a matrix of which a run-time number of rows is there.</summary>
    [Fact]
    public void Of_a_box_that_was_written_in_part_the_rest_is_NaN()
    {
        byte[] bytes = Random(4096);
        var map = new TensorMap { Address = 0, ElementBytes = 2, Dimensions = [64, 32], Strides = [128], Box = [64, 32] };
        byte[] found = HopperKernel.Copy(HopperKernel.Box(2, 4096), map, device =>
        {
            ulong tensor = device.Allocate(4096, "tensor");
            device.Write<byte>(tensor, bytes.AsSpan(0, 4 * 128 + 6));
            return tensor;
        }, 4096, [0, 0]);
        Assert.Equal([.. bytes[..(4 * 128 + 6)], .. Enumerable.Repeat((byte)0xff, 4096 - 4 * 128 - 6)], found);
    }

    [Fact]
    public void What_is_no_map_is_refused()
    {
        var map = new TensorMap { Address = 256, ElementBytes = 2, Dimensions = [64, 32], Strides = [128], Box = [64, 32] };
        Assert.Equal(TensorMap.EncodedBytes, map.Encode().Length);
        void Refused(TensorMap wrong, string word) =>
            Assert.Contains(word, Assert.Throws<ArgumentException>(wrong.Encode).Message, StringComparison.Ordinal);
        Refused(map with { Address = 8 }, "16");
        Refused(map with { Strides = [120] }, "stride");
        Refused(map with { Box = [0, 32] }, "box");
        Refused(map with { Box = [64, 257] }, "box");
        Refused(map with { Box = [4, 32] }, "row");
        Refused(map with { Box = [64, 32], Swizzle = 64 }, "swizzle");
        Refused(map with { Swizzle = 16 }, "swizzle");
        Refused(map with { Dimensions = [0, 32] }, "dimension 0");
        Refused(map with { Dimensions = [1, 1, 1, 1, 1, 1] }, "dimensions");
        Refused(map with { Steps = [1, 9] }, "step");
        // A kernel that is given something else.
        string text = HopperKernel.Box(2, 4096);
        using var device = new VirtualDevice(HopperKernel.Options);
        VirtualKernel kernel = device.LoadModule(text)["k"];
        GpuFaultException fault = Assert.Throws<GpuFaultException>(() => device.Launch(kernel, new(1), new(128), 8192,
            [new(new byte[128]), device.Allocate(4096, "out"), new(new byte[20])]));
        Assert.Equal(FaultKind.Illegal, fault.Kind);
        Assert.Contains("no tensor map", fault.Message, StringComparison.Ordinal);
        fault = Assert.Throws<GpuFaultException>(() =>
            HopperKernel.Copy(HopperKernel.Box(3, 4096), map, d => d.Upload<byte>(Random(4096), "tensor"), 4096, [0, 0, 0]));
        Assert.Contains("3 coordinates in a tensor of 2 dimensions", fault.Message, StringComparison.Ordinal);
    }
}
