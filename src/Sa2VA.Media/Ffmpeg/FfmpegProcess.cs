using System.ComponentModel;
using System.Diagnostics;
using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>
/// A running ffmpeg whose output is read. It is ended when it keeps its reader waiting, when it is disposed of, and, should this process
/// die, by the pipe that breaks.
/// </summary>
internal sealed class FfmpegProcess : IDisposable
{
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(5);

    private readonly FfmpegInput _input;
    private readonly TimeSpan _patience;
    private readonly Process _process;
    private readonly Stream _output;
    private readonly Timer _watchdog;
    private volatile bool _stalled;
    private int _killed;

    private FfmpegProcess(FfmpegInput input, TimeSpan patience, Process process)
    {
        (_input, _patience, _process) = (input, patience, process);
        // Headers of frames are a few bytes; pixels go past the buffer.
        _output = new BufferedStream(process.StandardOutput.BaseStream, 1 << 12);
        _watchdog = new Timer(_ =>
        {
            _stalled = true;
            Kill();
        });
        Log = new FfmpegLog(process.StandardError.BaseStream, input);
    }

    /// <summary>What it tells besides its output.</summary>
    public FfmpegLog Log { get; }

    /// <summary>Starts it.</summary>
    /// <param name="program">Which ffmpeg.</param>
    /// <param name="input">What it reads.</param>
    /// <param name="options">How.</param>
    /// <param name="output">The arguments behind the input.</param>
    /// <exception cref="MediaException">It cannot be run.</exception>
    public static FfmpegProcess Start(FfmpegProgram program, FfmpegInput input, MediaOptions options, IEnumerable<string> output)
    {
        TimeSpan patience = options.Patience ?? input.Patience;
        return new FfmpegProcess(input, patience, Run(program, input.Name,
            ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", .. input.Arguments(program, patience), .. output]));
    }

    /// <summary>Starts ffmpeg with all its streams as pipes.</summary>
    /// <param name="program">Which ffmpeg.</param>
    /// <param name="what">What for; begins the message.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="fed">Leave its standard input open.</param>
    /// <exception cref="MediaException">It cannot be run.</exception>
    public static Process Run(FfmpegProgram program, string what, IEnumerable<string> arguments, bool fed = false)
    {
        try
        {
            Process process = Process.Start(new ProcessStartInfo(program.Path, arguments)
            {
                RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, CreateNoWindow = true,
            })!;
            if (!fed) process.StandardInput.Close();
            return process;
        }
        catch (Win32Exception e)
        {
            throw new MediaException($"{what}: {program.Path} cannot be run: {e.Message.TrimEnd('.')}; name another ffmpeg with "
                + $"{FfmpegProgram.Variable}.", e);
        }
    }

    /// <summary>Fills a buffer, or as much of it as is left of the output.</summary>
    /// <returns>Bytes read; fewer than asked for at the end.</returns>
    /// <exception cref="MediaException">It took too long.</exception>
    public int Read(Span<byte> bytes)
    {
        _watchdog.Change(_patience, Timeout.InfiniteTimeSpan);
        int read;
        try
        {
            read = _output.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            read = 0;
        }
        _watchdog.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        if (_stalled)
            throw new MediaException(FormattableString.Invariant(
                $"{_input.Name} gave nothing for {_patience.TotalSeconds:0.#} seconds") + Because(Log.Errors)
                + (_input.Kind == FfmpegInput.Source.File ? "." : "; check that it is still there and sends."));
        return read;
    }

    /// <summary>After the end of the output: waits for the process, and finds out whether all went well.</summary>
    /// <param name="frames">Frames that it gave.</param>
    /// <exception cref="MediaException">It failed, or gave no frame.</exception>
    public void Finish(int frames)
    {
        bool ended = _process.WaitForExit(EndPatience);
        if (!ended) Kill();
        Log.Join(EndPatience);
        if (Volatile.Read(ref _killed) != 0 || (ended && _process.ExitCode == 0 && frames > 0)) return;
        string? errors = Log.Errors;
        if (errors?.Contains("matches no streams", StringComparison.Ordinal) == true)
            throw new MediaException($"{_input.Name} holds no video, as ffmpeg sees it; give a file with pictures.");
        throw new MediaException(frames == 0
            ? $"{_input.Name}{(_input.Format.Length > 0 ? $" is {_input.Format} that" : "")} cannot be read by ffmpeg{Because(errors)}; "
                + "check that another program plays it."
            : $"{_input.Name} breaks off after {Plural(frames)}{Because(errors)}.");
    }

    /// <summary>Ends it at once; reading comes to its end.</summary>
    public void Kill()
    {
        Interlocked.Exchange(ref _killed, 1);
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (HasEnded(e))
        {
            // It has ended by itself.
        }
    }

    /// <summary>Whether this is how a process that has ended already refuses to be ended.</summary>
    public static bool HasEnded(Exception e) =>
        e is InvalidOperationException or Win32Exception or NotSupportedException or AggregateException;

    public void Dispose()
    {
        Kill();
        _process.WaitForExit(EndPatience);
        Log.Join(EndPatience);
        _watchdog.Dispose();
        _output.Dispose();
        _process.Dispose();
    }

    private static string Because(string? errors) => errors is null ? "" : $" (ffmpeg: {errors})";

    private static string Plural(int frames) => FormattableString.Invariant($"{frames} {(frames == 1 ? "frame" : "frames")}");
}
