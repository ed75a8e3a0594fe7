using System.Globalization;
using System.Text.RegularExpressions;
using Sa2VA.Cuda.Kernels;

namespace Sa2VA.Tests;

/// <summary>
/// Shapes of attention on tensor cores are said twice: a kernel is compiled with one, its launch asks for the shared memory of the other.
/// </summary>
public sealed class AttentionShapeTests
{
    public static TheoryData<string, string, int, int> Shapes =>
    [
        .. FlashAttentionShape.Table.Select(s => ("flash_attention_bf16", s.Name, FlashAttentionShape.Threads, s.SharedBytes)),
        .. ((WindowAttentionShape[])[WindowAttentionShape.Many, WindowAttentionShape.Some, WindowAttentionShape.Few,
            WindowAttentionShape.FewOfSmall]).Select(s => ("window_attention_bf16", s.Name, s.Threads, s.SharedBytes)),
    ];

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_launch_gives_the_shared_memory_that_its_kernel_uses(string family, string kernel, int threads, int sharedBytes)
    {
        Match found = Regex.Match(KernelFiles.Source(family),
            $@"KERNEL\((?<threads>\d+)\)\s+{kernel}\([^)]*\)\s*\{{[^}}]*?AttentionShape<(?<shape>[^>]*)>");
        Assert.True(found.Success, $"kernels/{family}.cu has no kernel {kernel}.");
        Assert.Equal(threads, Number(found.Groups["threads"].Value));
        string[] shape = found.Groups["shape"].Value.Split(',', StringSplitOptions.TrimEntries);
        int headDim = Number(shape[0]), valueDim = Number(shape[1]), tiles = Number(shape[2]), keys = Number(shape[3]);
        int stages = Number(shape[4]), warps = shape.Length > 6 ? Number(shape[6]) : 4;
        Assert.Equal(threads, 32 * warps);

        // kernels/common/tensor_attention.cuh, AttentionShape: rows are an odd number of 16 bytes apart.
        int keyPitch = ((headDim + 15) / 16 * 2 | 1) * 16, valuePitch = (valueDim / 8 | 1) * 16;
        Assert.Equal(warps * 16 * tiles * keyPitch + stages * keys * (keyPitch + valuePitch), sharedBytes);
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
