namespace Sa2VA.VirtualGpu;

/// <summary>A value for a parameter of a kernel: a device address, a number, or the bytes of a structure.</summary>
public readonly struct KernelArgument
{
    private readonly byte[]? bytes;

    /// <summary>The bytes of a parameter of any type, as long as the parameter.</summary>
    public KernelArgument(ReadOnlySpan<byte> bytes) => this.bytes = bytes.ToArray();

    internal ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>A 64-bit parameter, such as an address.</summary>
    public static implicit operator KernelArgument(ulong value) => new(BitConverter.GetBytes(value));

    /// <summary>A 64-bit parameter.</summary>
    public static implicit operator KernelArgument(long value) => new(BitConverter.GetBytes(value));

    /// <summary>A 32-bit parameter.</summary>
    public static implicit operator KernelArgument(int value) => new(BitConverter.GetBytes(value));

    /// <summary>A 32-bit parameter.</summary>
    public static implicit operator KernelArgument(uint value) => new(BitConverter.GetBytes(value));

    /// <summary>A float32 parameter.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.GetBytes(value));
}
