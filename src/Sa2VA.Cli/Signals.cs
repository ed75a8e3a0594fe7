using System.Runtime.InteropServices;

namespace Sa2VA.Cli;

/// <summary>
/// The signals that end a program: the first one stops it in an orderly way, so that nothing half-written stays; a second one ends it at
/// once, should that take too long. Those that the caller had ignored (<c>nohup</c>) stay ignored.
/// </summary>
internal sealed class Signals : IDisposable
{
    /// <summary>How long Windows waits after a closed window or a shutdown before it ends a program.</summary>
    private static readonly TimeSpan WindowsPatience = TimeSpan.FromSeconds(4.5);

    private readonly CancellationTokenSource _cancel = new();
    private readonly ManualResetEventSlim _ended = new();
    private readonly PosixSignalRegistration[] _registrations;

    public Signals() => _registrations = [.. Ending().Select(s => PosixSignalRegistration.Create(s, Stop))];

    /// <summary>Stops on Ctrl+C what is stopped instead of the program; false, or null, for the program.</summary>
    public Func<bool>? Interrupt { get; set; }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Cancellation => _cancel.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        _ended.Set();
        // A handler may still be running; what it cancels is left to the end of the process.
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
    }

    private static IEnumerable<PosixSignal> Ending()
    {
        // On Windows: Ctrl+C, Ctrl+Break, the closed window, the shutdown.
        PosixSignal[] everywhere = [PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGHUP, PosixSignal.SIGTERM];
        if (OperatingSystem.IsWindows()) return everywhere;
        // Numbers that .NET has no names for: SIGALRM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, then SIGUSR1 and SIGUSR2, and what ends a
        // program on Linux alone: SIGSTKFLT, SIGIO, SIGPWR. A write beyond the limit on file sizes becomes an error of that write.
        int[] others = [14, 24, 25, 26, 27, .. OperatingSystem.IsLinux() ? (int[])[10, 12, 16, 29, 30] : [30, 31]];
        return [.. everywhere, .. others.Select(n => (PosixSignal)n)];
    }

    private void Stop(PosixSignalContext signal)
    {
        const int FileTooLarge = 25;
        if ((int)signal.Signal == FileTooLarge && !OperatingSystem.IsWindows())
        {
            signal.Cancel = true;
            return;
        }
        if (signal.Signal == PosixSignal.SIGINT && Interrupt?.Invoke() == true)
        {
            signal.Cancel = true;
            return;
        }
        signal.Cancel = !_cancel.IsCancellationRequested;
        _cancel.Cancel();
        // After these two Windows ends the process when the handler returns, whatever it says.
        if (OperatingSystem.IsWindows() && signal.Signal is PosixSignal.SIGHUP or PosixSignal.SIGTERM) _ended.Wait(WindowsPatience);
    }
}
