namespace Sa2VA.Cli;

/// <summary>What the process returns.</summary>
internal static class ExitCode
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>A verification failed, or nothing was verified.</summary>
    public const int Failed = 1;

    /// <summary>
    /// The arguments, a file, a checkpoint or a prompt cannot be used, or a result could not be written completely. When the reader of a
    /// pipe
    /// has seen enough and gone, this is all that is said.
    /// </summary>
    public const int BadInput = 2;

    /// <summary>A bug of this program (sysexits: EX_SOFTWARE).</summary>
    public const int Bug = 70;

    /// <summary>Stopped by Ctrl+C or another signal that ends a program.</summary>
    public const int Cancelled = 130;
}
