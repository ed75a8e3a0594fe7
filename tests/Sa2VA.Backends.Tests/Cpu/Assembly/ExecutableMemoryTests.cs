using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

public sealed unsafe class ExecutableMemoryTests
{
    [Fact]
    public void Code_is_executable_and_not_writable_and_goes_with_its_owner()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The system's map of memory is read from /proc.");
        byte[] code = [0xb8, 42, 0, 0, 0, 0xc3];
        ExecutableMemory? memory = ExecutableMemory.TryCreate(code);
        Assert.NotNull(memory);
        ulong start = (ulong)memory.Start;
        Assert.Equal("r-xp", RightsOf(start));
        Assert.Equal(code, new ReadOnlySpan<byte>(memory.Start, code.Length).ToArray());
        memory.Dispose();
        memory.Dispose();
        Assert.NotEqual("r-xp", RightsOf(start));
        Assert.Throws<ObjectDisposedException>(() => (nint)memory.Start);
    }

    [Fact]
    public void Blocks_are_chosen_by_force_then_by_width()
    {
        Assert.Null(FloatBlocks.Choose(SimdLevel.V128, KernelChoice.Assembled));
        Assert.Null(FloatBlocks.Choose(SimdLevel.V512, null));
        foreach (SimdLevel level in (SimdLevel[])[SimdLevel.V256, SimdLevel.V512])
        {
            Assert.Null(FloatBlocks.Choose(level, KernelChoice.Managed));
            if (FloatBlocks.TryAssemble(level) is not { } possible) continue;
            possible.Dispose();
            Assert.NotNull(FloatBlocks.Choose(level, KernelChoice.Assembled));
            foreach (KernelChoice? choice in (KernelChoice?[])[null, KernelChoice.Amx, KernelChoice.ManagedAvx512BFloat16])
                Assert.Equal(level == SimdLevel.V256, FloatBlocks.Choose(level, choice) is not null);
        }
    }

    [Fact]
    public void An_option_goes_before_the_variable()
    {
        Assert.Null(KernelChoices.Resolve(null, null));
        Assert.Null(KernelChoices.Resolve(null, ""));
        Assert.Equal(KernelChoice.Managed, KernelChoices.Resolve(KernelChoice.Managed, "amx"));
        Assert.Equal(Enum.GetValues<KernelChoice>(), ((string[])["managed", "assembled", "avx512bf16", "amx", "avx512bf16-managed",
            "amx-managed"]).Select(v => KernelChoices.Resolve(null, v)!.Value));
        Assert.Contains("it may be managed, assembled,",
            Assert.Throws<DeviceException>(() => KernelChoices.Resolve(null, "fast")).Message, StringComparison.Ordinal);
    }

    private static string? RightsOf(ulong address) => (
        from line in File.ReadLines("/proc/self/maps")
        let range = line[..line.IndexOf(' ', StringComparison.Ordinal)].Split('-')
        where address >= Hex(range[0]) && address < Hex(range[1])
        select line.Split(' ')[1]).FirstOrDefault();

    private static ulong Hex(string digits) => ulong.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
