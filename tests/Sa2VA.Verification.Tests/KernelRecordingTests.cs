using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Tests;
using Sa2VA.Verification.SelfTest;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>What a card gave in the self-test (<c>sa2va doctor --record</c>), and what the virtual GPU gives in the same checks.</summary>
public sealed class KernelRecordingTests(KernelRecordingTests.VirtualRun now, ITestOutputHelper output)
    : IClassFixture<KernelRecordingTests.VirtualRun>
{
    private static readonly string Recorded = Path.Combine(Fixtures.Repository, "tests", "fixtures", "gpu");

    [Fact]
    public void Every_check_passes_and_every_kernel_is_run_by_one()
    {
        Assert.All(now.Recording.Checks, c => Assert.True(c.Problem is null, $"{c.Name}: {c.Problem}"));
        string[] idle = [.. KernelFiles.Kernels.Select(k => k.Name).Except(now.Kernels)];
        Assert.True(idle.Length == 0, $"src/Sa2VA.Verification/SelfTest has no check that runs {string.Join(", ", idle)}.");
    }

    /// <summary>
    /// Both times in checked mode; the second time warps, blocks and copies come in another order, and work as late as it may.
    /// </summary>
    [Fact]
    public void Every_kernel_gives_the_same_bits_whatever_the_order_of_warps_and_blocks()
    {
        (KernelRecording again, IReadOnlySet<string> kernels) = VirtualRun.Run(seed: 7, isLazy: true);
        Assert.All(again.Checks, c => Assert.True(c.Problem is null, $"{c.Name}: {c.Problem}"));
        Assert.Equal(now.Recording.Checks.Select(c => (c.Name, c.Count, c.Hash)), again.Checks.Select(c => (c.Name, c.Count, c.Hash)));
        Assert.Equal(now.Kernels.Order(StringComparer.Ordinal), kernels.Order(StringComparer.Ordinal));
    }

    /// <summary>Every bit, but where a kernel has changed since, which the output lists, and within <see cref="Approximate"/>.</summary>
    [Fact]
    public void Cards_that_were_recorded_gave_the_same_bits()
    {
        string[] files = Directory.Exists(Recorded) ? Directory.GetFiles(Recorded, "*.safetensors") : [];
        Assert.SkipWhen(files.Length == 0, $"no card is recorded in {Recorded}: sa2va doctor --device cuda --record FILE");
        Assert.All(files, file =>
        {
            KernelRecording card = KernelRecording.Read(file);
            Comparison comparison = Compare(card, now.Recording);
            output.WriteLine($"{Path.GetFileName(file)}: {card.Device.Name}, {card.Device.Date:yyyy-MM-dd}: {comparison.Equal} of "
                + $"{card.Checks.Count} checks equal in every bit.");
            foreach (string line in comparison.Close.Concat(comparison.Changed)) output.WriteLine(line);
            foreach (string line in comparison.Wrong) output.WriteLine(line);
            Assert.Empty(comparison.Wrong);
            Assert.True(comparison.Equal > 0, "Nothing is compared any more: record the card again.");
        });
    }

    [Fact]
    public void A_file_holds_what_was_recorded()
    {
        using var folder = new ScratchFolder();
        now.Recording.Write(folder.At("card.safetensors"), TestContext.Current.CancellationToken);
        Assert.InRange(new FileInfo(folder.At("card.safetensors")).Length, 1, 1_000_000);
        KernelRecording read = KernelRecording.Read(folder.At("card.safetensors"));
        Assert.Equal((now.Recording.Device, now.Recording.Checks.Count), (read.Device, read.Checks.Count));
        Assert.Equal(now.Recording.Hashes, read.Hashes);
        Comparison same = Compare(read, now.Recording);
        Assert.Equal((read.Checks.Count, 0, 0, 0), (same.Equal, same.Close.Count, same.Changed.Count, same.Wrong.Count));
        Assert.All(read.Checks.Zip(now.Recording.Checks), c => Assert.Equal(c.Second.Type, c.First.Type));
    }

    [Theory]
    [InlineData("f32/MatMul/4×331·331×17")]
    [InlineData("f32/PackMasks/2 of 4²→16²→9×33")]
    public void A_bit_is_found(string check)
    {
        KernelRecording card = Changed(check, (bits, _) => bits[^1] ^= 1);
        Assert.StartsWith($"{check}: ", Assert.Single(Compare(card, now.Recording).Wrong), StringComparison.Ordinal);
    }

    /// <summary>Of a kernel that approximates, a step of bf16 in one value is told, two steps and many single ones are wrong.</summary>
    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(2, 1, false)]
    [InlineData(1, 100, false)]
    public void What_a_card_approximates_has_a_bound(int steps, int values, bool isClose)
    {
        const string Check = "bf16/GatedLinear/65×72→5000";
        KernelRecording card = Changed(Check, (bits, _) =>
        {
            for (int i = 0; i < values; i++) bits[i] += steps << 16;
        });
        Comparison comparison = Compare(card, now.Recording);
        Assert.StartsWith($"{Check}: ", Assert.Single(isClose ? comparison.Close : comparison.Wrong), StringComparison.Ordinal);
        Assert.Empty(isClose ? comparison.Wrong : comparison.Close);
    }

    [Fact]
    public void A_kernel_that_has_changed_since_is_told_of_and_not_compared()
    {
        const string Check = "f32/MatMul/4×331·331×17";
        KernelRecording card = Changed(Check, (bits, _) => bits[0] ^= 1, hash: "of another time");
        Comparison comparison = Compare(card, now.Recording);
        Assert.Contains(comparison.Changed, line => line.StartsWith($"{Check}: ", StringComparison.Ordinal)
            && line.Contains("mat_mul", StringComparison.Ordinal));
        Assert.Empty(comparison.Wrong);
    }

    /// <summary>
    /// Checks of kernels with instructions that a card approximates (<c>ex2.approx</c>, <c>rcp.approx</c>), which the virtual GPU rounds
    /// correctly: results in bf16 may be one step off in one of a hundred.
    /// </summary>
    private static bool Approximate(RecordedCheck check) => check.Families.Any(f => f.Contains("_bf16", StringComparison.Ordinal))
        && (check.Name.StartsWith("bf16/GatedLinear/", StringComparison.Ordinal)
            || check.Name.StartsWith("bf16/FlashAttention/", StringComparison.Ordinal)
            || check.Name.StartsWith("bf16/WindowAttention/", StringComparison.Ordinal)
            || ((string[])["Gelu", "GeluTanh", "Silu", "Sigmoid"]).Any(a => check.Name.Contains($", {a}", StringComparison.Ordinal)));

    private sealed record Comparison(int Equal, IReadOnlyList<string> Close, IReadOnlyList<string> Changed, IReadOnlyList<string> Wrong);

    private static Comparison Compare(KernelRecording card, KernelRecording now)
    {
        int equal = 0;
        List<string> close = [], changed = [], wrong = [];
        Dictionary<string, RecordedCheck> checks = now.Checks.ToDictionary(c => c.Name, StringComparer.Ordinal);
        foreach (RecordedCheck then in card.Checks)
        {
            string[] others = [.. then.Families.Where(f => now.Hashes.GetValueOrDefault(f) != card.Hashes[f])];
            if (then.Problem is not null) wrong.Add($"{then.Name}: the card's result was wrong: {then.Problem}");
            else if (!checks.TryGetValue(then.Name, out RecordedCheck? check)) changed.Add($"{then.Name}: there is no such check any more");
            else if (others.Length > 0) changed.Add($"{then.Name}: changed since: {string.Join(", ", others)}");
            else if (!then.Families.SequenceEqual(check.Families))
                changed.Add($"{then.Name}: other kernels run: {string.Join(", ", check.Families)}");
            else if ((then.Hash, then.Count) == (check.Hash, check.Count) && then.Bits.SequenceEqual(check.Bits)) equal++;
            else if ((then.Step, then.Bits.Count) != (check.Step, check.Bits.Count)) wrong.Add($"{then.Name}: another number of results");
            else
            {
                (int Then, int Now)[] off = [.. then.Bits.Zip(check.Bits).Where(b => b.First != b.Second)];
                bool isClose = Approximate(then) && off.Length * 100 <= then.Bits.Count
                    && Array.TrueForAll(off, b => Math.Abs((long)b.Then - b.Now) <= 1 << 16);
                (isClose ? close : wrong).Add($"{then.Name}: not all of {then.Count} numbers are equal; of {then.Bits.Count} that are "
                    + $"stored, {off.Length} differ{(isClose ? ", by no more than a step of bf16" : "")}");
            }
        }
        return new Comparison(equal, close, changed, wrong);
    }

    /// <summary>The virtual GPU's recording with one result changed, as a card might give it.</summary>
    private KernelRecording Changed(string check, Action<int[], RecordedCheck> change, string? hash = null)
    {
        var card = new KernelRecording(now.Recording.Device);
        foreach (RecordedCheck c in now.Recording.Checks)
        {
            int[] bits = [.. c.Bits];
            if (c.Name == check) change(bits, c);
            card.Restore(c with { Bits = bits, Hash = c.Name == check ? "another" : c.Hash }, c.Families.Select(f =>
                KeyValuePair.Create(f, f == "mat_mul" && hash is not null ? hash : now.Recording.Hashes[f])));
        }
        Assert.Contains(card.Checks, c => c.Hash == "another");
        return card;
    }

    /// <summary>
    /// All checks on a virtual H100 in checked mode, in both precisions, and the kernels that ran; those of compute capability 9.0 wherever
    /// they can, since few checks are large enough for them to pay.
    /// </summary>
    public sealed class VirtualRun
    {
        public VirtualRun() => (Recording, Kernels) = Run(seed: 1, isLazy: false);

        internal KernelRecording Recording { get; }

        internal IReadOnlySet<string> Kernels { get; }

        internal static (KernelRecording Recording, IReadOnlySet<string> Kernels) Run(int seed, bool isLazy)
        {
            using var driver = new VirtualDriver(new VirtualDriverOptions
            {
                Devices = [VirtualDeviceKind.H100], LogLaunches = true, LazyDispatch = isLazy,
                Execution = new VirtualDeviceOptions { Seed = seed, CountMemory = false },
            });
            var recording = new KernelRecording(
                new RecordedDevice(VirtualDeviceKind.H100.Name, VirtualDeviceKind.H100.Capability, 13000, DateTimeOffset.UnixEpoch));
            var functions = new CudaDriver(driver.Name, driver.Export);
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                using var backend = (CudaBackend)new CudaDevice(functions)
                {
                    Precision = precision, Hopper = HopperUse.Wherever,
                }.Open();
                foreach (KernelCheck check in KernelSelfTest.Run(backend))
                    recording.Add(precision, check, backend.TakeAskedKernels().ToDictionary(k => k.Family, k => k.Hash));
            }
            return (recording, driver.Launches.Select(l => l.Kernel).ToHashSet(StringComparer.Ordinal));
        }
    }
}
