using System.Runtime.InteropServices;
using Sa2VA.Tests;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>The kernels in tests/fixtures/ptx; how they were made is told there.</summary>
internal static class PtxFiles
{
    public static readonly string[] Names = ["argmax", "flash_attention", "gemm_sm80", "layer_norm"];

    private static string Folder => Path.Combine(Fixtures.Repository, "tests", "fixtures", "ptx");

    public static string Text(string name) => File.ReadAllText(Path.Combine(Folder, name + ".ptx"));

    /// <summary>All recordings lie beside the repository where they can be had, some of them in it.</summary>
    private static byte[] Recorded(string name)
    {
        string here = Path.Combine(Folder, "recorded", name + ".bin");
        return File.ReadAllBytes(File.Exists(here) ? here : Path.Combine(AllRecorded, name + ".bin"));
    }

    private static string AllRecorded => Path.Combine(Fixtures.Repository, "..", "shared", "silicon", "recorded");

    public static bool HasRecorded(string name) =>
        File.Exists(Path.Combine(Folder, "recorded", name + ".out.bin")) || File.Exists(Path.Combine(AllRecorded, name + ".out.bin"));

    public static ushort[] RecordedWords(string name) => MemoryMarshal.Cast<byte, ushort>(Recorded(name)).ToArray();

    public static float[] RecordedFloats(string name) => MemoryMarshal.Cast<byte, float>(Recorded(name)).ToArray();

    /// <summary>The text with one occurrence of a passage replaced; the passage must be there.</summary>
    public static string Edited(string name, string passage, string replacement, int occurrence = 0)
    {
        string text = Text(name);
        int at = -1;
        for (int n = 0; n <= occurrence; n++)
        {
            at = text.IndexOf(passage, at + 1, StringComparison.Ordinal);
            Assert.True(at >= 0, $"{name} does not hold '{passage}'.");
        }
        return text[..at] + replacement + text[(at + passage.Length)..];
    }

    public static float BFloat16(ushort v) => BitConverter.UInt32BitsToSingle((uint)v << 16);

    public static ushort ToBFloat16(float x)
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return (ushort)(bits + 0x7fff + (bits >> 16 & 1) >> 16);
    }

    public static ushort[] RandomBFloat16(int seed, int count, float scale = 1) =>
        [.. TestValues.Random(seed, count, scale).Select(ToBFloat16)];
}
