using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Virtual memory management.</summary>
public sealed class DriverMappingTests
{
    private const int Unit = 4096;

    private static readonly ulong[] Values = [.. Enumerable.Range(1, 1024).Select(n => (ulong)n)];

    [Fact]
    public void Pieces_that_are_mapped_one_after_the_other_are_one_range()
    {
        using NativeDriver native = NativeDriver.WithContext();
        Assert.Equal(Unit, native.Granularity());
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        native.Ok(native.Reserve(16 * Unit, out ulong range));
        Assert.Equal(0ul, range % Unit);
        for (ulong n = 0; n < 2; n++)
        {
            native.Ok(native.Create(Unit, out ulong memory));
            native.Ok(native.Map(range + n * Unit, Unit, memory));
            native.Ok(native.SetAccess(range + n * Unit, Unit));
            native.Ok(native.Release(memory));
        }
        Assert.Equal(64L << 20, native.Memory().Total);
        Assert.Equal((64L << 20) - 2 * Unit, native.Memory().Free);
        native.Ok(native.Upload(range, Values, stream));
        native.Ok(native.Launch(add, 1, 1024, stream, [range, range, 3]));
        Assert.Equal(Values.Select(v => v + 3), native.Download(range, 1024, stream));
        native.Ok(native.Copy(range + 2000, range + 4000, 4000, stream));
        native.Ok(native.Fill(range + 4000, 1, 200, stream));
        Assert.Equal(0x0101010101010101ul, native.Download(range + 4096, 1, stream)[0]);
        // Both at once, and not half of one.
        Assert.Equal(DriverResult.InvalidValue, native.Unmap(range, Unit / 2));
        Assert.Equal(DriverResult.InvalidValue, native.FreeReservation(range, 16 * Unit));
        native.Ok(native.Unmap(range, 2 * Unit));
        Assert.Equal(64L << 20, native.Memory().Free);
        Assert.Equal(DriverResult.InvalidValue, native.FreeReservation(range, Unit));
        native.Ok(native.FreeReservation(range, 16 * Unit));
        Assert.Equal((0, 0), (native.Driver.Live.Reservations, native.Driver.Live.Mappings));
    }

    [Theory]
    [InlineData("no access", "to which no access was given")]
    [InlineData("not mapped", "0 bytes past the end of mapping 1 of context 1 (4096 bytes)")]
    [InlineData("unmapped", "inside mapping 1 of context 1, which was freed")]
    [InlineData("read only", "cannot be written")]
    [InlineData("undefined", "byte 0 of mapping 1 of context 1, which nothing wrote")]
    public void Kernels_reach_what_is_mapped_and_allowed_and_no_more(string what, string words)
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream(), add = native.Function(DriverKernels.Text, "add");
        native.Ok(native.Reserve(4 * Unit, out ulong range));
        native.Ok(native.Create(Unit, out ulong memory));
        native.Ok(native.Map(range, Unit, memory));
        Assert.Equal(DriverResult.InvalidValue, native.Fill(range, 0, Unit, stream));
        native.Ok(native.SetAccess(range, Unit));
        if (what != "undefined") native.Ok(native.Fill(range, 0, Unit, stream));
        native.Ok(native.Synchronize(stream));
        if (what == "no access") native.Ok(native.SetAccess(range, Unit, flags: 0));
        if (what == "read only") native.Ok(native.SetAccess(range, Unit, flags: 1));
        if (what == "unmapped") native.Ok(native.Unmap(range, Unit));
        ulong at = what == "not mapped" ? range + Unit : range;
        native.Ok(native.Launch(add, 1, 1, stream, [at, at, 1]));
        DriverResult result = native.Synchronize(stream);
        Assert.Equal(what is "read only" or "undefined" ? DriverResult.LaunchFailed : DriverResult.IllegalAddress, result);
        Assert.Contains(words, native.Text(result), StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_lives_as_long_as_it_is_held_or_mapped()
    {
        using NativeDriver native = NativeDriver.WithContext();
        nint stream = native.Stream();
        native.Ok(native.Reserve(4 * Unit, out ulong range));
        native.Ok(native.Create(2 * Unit, out ulong memory));
        native.Ok(native.Map(range, 2 * Unit, memory));
        native.Ok(native.Map(range + 2 * Unit, Unit, memory));
        native.Ok(native.SetAccess(range, 3 * Unit));
        native.Ok(native.Release(memory));
        Assert.Equal(DriverResult.InvalidHandle, native.Release(memory));
        Assert.Equal(DriverResult.InvalidHandle, native.Map(range + 3 * Unit, Unit, memory));
        // One memory at two places.
        native.Ok(native.Upload(range, [5], stream));
        Assert.Equal([5ul], native.Download(range + 2 * Unit, 1, stream));
        native.Ok(native.Unmap(range, 2 * Unit));
        Assert.Equal([5ul], native.Download(range + 2 * Unit, 1, stream));
        Assert.Equal(2 * Unit, native.Driver.Live.DeviceBytes);
        native.Ok(native.Unmap(range + 2 * Unit, Unit));
        Assert.Equal(0, native.Driver.Live.DeviceBytes);
        // Held, it keeps what it has over an unmapping.
        native.Ok(native.Create(Unit, out ulong kept));
        native.Ok(native.Map(range, Unit, kept));
        native.Ok(native.SetAccess(range, Unit));
        native.Ok(native.Upload(range, [6], stream));
        native.Ok(native.Synchronize(stream));
        native.Ok(native.Unmap(range, Unit));
        native.Ok(native.Map(range + Unit, Unit, kept));
        native.Ok(native.SetAccess(range + Unit, Unit));
        Assert.Equal([6ul], native.Download(range + Unit, 1, stream));
    }

    [Fact]
    public void Wrong_mappings_are_refused()
    {
        VirtualDeviceKind[] two = [VirtualDeviceKind.A100, VirtualDeviceKind.H100];
        using NativeDriver native = NativeDriver.WithContext(NativeDriver.Small with { Devices = two });
        native.Ok(native.Reserve(4 * Unit, out ulong range));
        native.Ok(native.Create(2 * Unit, out ulong memory));
        DriverResult[] refused =
        [
            native.Reserve(100, out _), native.Reserve(0, out _), native.Create(100, out _), native.Create(0, out _),
            native.Create(Unit, out _, device: 1), native.Create(Unit, out _, device: 2) == DriverResult.InvalidDevice
                ? DriverResult.InvalidValue : DriverResult.Success,
            native.Map(range + 3 * Unit, 2 * Unit, memory), native.Map(range - Unit, Unit, memory), native.Map(range + 8, Unit, memory),
            native.Map(range, 3 * Unit, memory), native.Map(range, Unit, memory, offset: Unit), native.Map(range, 0, memory),
            native.SetAccess(range, Unit), native.Unmap(range, Unit), native.FreeReservation(range + Unit, Unit),
        ];
        Assert.All(refused, r => Assert.Equal(DriverResult.InvalidValue, r));
        native.Ok(native.Map(range, 2 * Unit, memory));
        Assert.Equal(DriverResult.InvalidValue, native.Map(range + Unit, Unit, memory));
        Assert.Equal(DriverResult.InvalidValue, native.SetAccess(range, Unit));
        Assert.Equal(DriverResult.InvalidValue, native.SetAccess(range, 2 * Unit, device: 1));
        native.Ok(native.SetAccess(range, 2 * Unit));
    }

    /// <summary>Without checks nothing is touched: sizes of real models can be reserved and mapped.</summary>
    [Fact]
    public void Large_memory_costs_nothing_before_it_is_used()
    {
        const long Piece = 1L << 30;
        using NativeDriver native = NativeDriver.WithContext(new() { Execution = new() { Checks = false } });
        nint stream = native.Stream();
        native.Ok(native.Reserve(70L << 30, out ulong range));
        for (ulong n = 0; n < 8; n++)
        {
            native.Ok(native.Create(Piece, out ulong memory));
            native.Ok(native.Map(range + n * (ulong)Piece, Piece, memory));
            native.Ok(native.Release(memory));
        }
        native.Ok(native.SetAccess(range, 8 * Piece));
        Assert.Equal((72L << 30, 80L << 30), native.Memory());
        ulong seam = range + 3 * (ulong)Piece - 8;
        native.Ok(native.Upload(seam, [1, 2], stream));
        Assert.Equal([0ul, 1, 2], native.Download(seam - 8, 3, stream));
    }
}
