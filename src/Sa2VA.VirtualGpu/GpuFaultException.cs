namespace Sa2VA.VirtualGpu;

/// <summary>
/// A kernel did what a check of the virtual GPU forbids; its launch was ended. Memory keeps what had been written by then.
/// </summary>
public sealed class GpuFaultException : Exception
{
    internal GpuFaultException(FaultKind kind, string kernel, int line, string message)
        : base(message)
    {
        Kind = kind;
        Kernel = kernel;
        Line = line;
    }

    /// <summary>Which check failed.</summary>
    public FaultKind Kind { get; }

    /// <summary>Name of the kernel.</summary>
    public string Kernel { get; }

    /// <summary>Line of the module's PTX, from 1.</summary>
    public int Line { get; }
}
