namespace Sa2VA.Models;

/// <summary>Why a file or folder cannot be read or written, in words of this program: the system's own name internal files.</summary>
internal static class FileTrouble
{
    private const int IoError = 5, Denied = 13, Exists = 17, NoFolder = 20, IsFolder = 21, TooManyOpen = 24, TooLarge = 27, Full = 28,
        ReadOnly = 30, Loop = 40, WindowsWriteProtected = 19, WindowsSharing = 32, WindowsHandleFull = 39, WindowsFull = 112,
        MacLoop = 62, MacQuota = 69, LinuxQuota = 122, BrokenPipe = 32;

    /// <summary>The facility of errors that .NET raises itself, with words of the one who throws.</summary>
    private const int OwnWords = 0x13;

    /// <summary>True for what the operating system says of a path.</summary>
    public static bool Is(Exception? e) => e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;

    /// <summary>The cause, without a full stop.</summary>
    public static string Cause(Exception e) => e switch
    {
        UnauthorizedAccessException => "there is no permission to",
        EndOfStreamException => "it ends too early",
        PathTooLongException => "its name is too long",
        FileNotFoundException or DirectoryNotFoundException => "the folder above it does not exist or takes no files",
        IOException when (e.HResult >> 16 & 0x7FFF) == OwnWords => e.Message.TrimEnd('.'),
        IOException => Cause(e.HResult & 0xFFFF),
        _ => "that is no path",
    };

    private static string Cause(int code) => (OperatingSystem.IsWindows(), code) switch
    {
        (false, Full) or (true, WindowsFull or WindowsHandleFull) => "the disk is full",
        (false, ReadOnly) or (true, WindowsWriteProtected) => "the disk can only be read",
        (false, LinuxQuota or MacQuota) => "the quota of the disk is used up",
        (true, WindowsSharing) => "another program has it open",
        (false, BrokenPipe) => "nobody reads it any more",
        (false, Denied) => "there is no permission to",
        (false, TooManyOpen) => "too many files are open (ulimit -n allows more)",
        (false, TooLarge) => "the file is too large for the disk or for ulimit -f",
        (false, Loop or MacLoop) => "links lead in a circle",
        (false, NoFolder) => "something above it is no folder",
        (false, IsFolder) => "it is a folder",
        (false, Exists) => "something of that name exists",
        (false, IoError) => "the disk or its connection fails",
        _ => FormattableString.Invariant($"the system refuses it (error {code})"),
    };
}
