namespace Sa2VA.VirtualGpu;

/// <summary>A PTX module cannot be loaded: it is malformed, or holds something that the virtual GPU does not execute.</summary>
public sealed class PtxException : Exception
{
    internal PtxException(string reason, int line, string? instruction = null)
        : base(instruction is null ? $"PTX line {line}: {reason}" : $"PTX line {line}: {reason}, in: {instruction}")
    {
        Line = line;
        Instruction = instruction;
    }

    /// <summary>Line of the module's text, from 1.</summary>
    public int Line { get; }

    /// <summary>The instruction as written, without its end; null where the error is outside an instruction.</summary>
    public string? Instruction { get; }

    internal bool IsForOtherDevice { get; init; }
}
