using System.Buffers.Text;
using System.Text;

namespace Sa2VA.Media;

/// <summary>
/// What ffmpeg writes to standard error, read as it comes: its errors, and what it tells of the stream and of each frame. A frame's line
/// is written before the frame.
/// </summary>
internal sealed class FfmpegLog
{
    private const int LongestLine = 4096, ErrorsKept = 2;

    /// <summary>A frame's time is waited for, the first one's shorter: a build that tells none is not asked again.</summary>
    private static readonly TimeSpan FirstPatience = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromSeconds(20);

    private readonly Lock _lock = new();
    private readonly AutoResetEvent _told = new(false);
    private readonly Queue<TimeSpan?> _times = [];
    private readonly Queue<string> _errors = [];
    private readonly FfmpegInput? _input;
    private readonly Thread _reader;
    private bool _ended, _hasTimes, _gaveUp;

    /// <summary>Begins to read.</summary>
    /// <param name="stream">Standard error of the process.</param>
    /// <param name="input">What is read, for messages that name it; null for a process that writes.</param>
    public FfmpegLog(Stream stream, FfmpegInput? input)
    {
        _input = input;
        _reader = new Thread(() => Read(stream)) { IsBackground = true, Name = "ffmpeg log" };
        _reader.Start();
    }

    /// <summary>Errors so far.</summary>
    public int ErrorCount { get; private set; }

    /// <summary>The last errors in one line; null if there is none.</summary>
    public string? Errors
    {
        get
        {
            lock (_lock) return _errors.Count == 0 ? null : string.Join("; ", _errors);
        }
    }

    /// <summary>Frames in a second, as the file says; null if it does not.</summary>
    public double? FramesPerSecond { get; private set; }

    /// <summary>Whether the stream has no length.</summary>
    public bool IsEndless { get; private set; }

    /// <summary>Whether the file says that its frames are to be turned.</summary>
    public bool IsTurned { get; private set; }

    /// <summary>The time of the next frame; null if it has none.</summary>
    public TimeSpan? TakeTime()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_gaveUp) return null;
                if (_times.TryDequeue(out TimeSpan? time)) return time;
                if (_ended) return null;
            }
            if (_told.WaitOne(_hasTimes ? Patience : FirstPatience)) continue;
            // A line that comes later would be taken for another frame's.
            lock (_lock) _gaveUp = true;
        }
    }

    /// <summary>Waits for the last line.</summary>
    public void Join(TimeSpan patience) => _reader.Join(patience);

    private void Read(Stream stream)
    {
        byte[] bytes = new byte[LongestLine], line = new byte[LongestLine];
        int length = 0;
        try
        {
            for (int read; (read = stream.Read(bytes)) > 0;)
            {
                foreach (byte b in bytes.AsSpan(0, read))
                {
                    if (b is (byte)'\n' or (byte)'\r')
                    {
                        Take(line.AsSpan(0, length));
                        length = 0;
                    }
                    else if (length < line.Length) line[length++] = b;
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The process was ended.
        }
        if (length > 0) Take(line.AsSpan(0, length));
        lock (_lock) _ended = true;
        _told.Set();
    }

    private void Take(ReadOnlySpan<byte> line)
    {
        if (line.StartsWith("[Parsed_showinfo"u8)) TakeFrame(line);
        else if (line.IndexOf("[error] "u8) is >= 0 and int at) AddError(line, at + "[error] "u8.Length);
        else if (line.IndexOf("[fatal] "u8) is >= 0 and int fatal) AddError(line, fatal + "[fatal] "u8.Length);
        else if (line.StartsWith("[info]   Duration: N/A"u8)) IsEndless = true;
        else if (line.StartsWith("[info] "u8) && line.IndexOf("displaymatrix: rotation of "u8) is > 0 and int turn
            && Utf8Parser.TryParse(line[(turn + "displaymatrix: rotation of "u8.Length)..], out double angle, out _))
            IsTurned = angle != 0;
    }

    private void TakeFrame(ReadOnlySpan<byte> line)
    {
        const double mostSeconds = 1e9;
        int at = line.IndexOf(" pts_time:"u8);
        if (at >= 0)
        {
            bool known = Utf8Parser.TryParse(line[(at + " pts_time:"u8.Length)..], out double seconds, out _)
                && Math.Abs(seconds) < mostSeconds;
            lock (_lock)
            {
                _hasTimes = true;
                _times.Enqueue(known ? TimeSpan.FromSeconds(seconds) : null);
            }
            _told.Set();
            return;
        }
        at = line.IndexOf(" frame_rate: "u8);
        if (at < 0 || FramesPerSecond is not null) return;
        ReadOnlySpan<byte> rate = line[(at + " frame_rate: "u8.Length)..];
        if (Utf8Parser.TryParse(rate, out long frames, out int read) && Utf8Parser.TryParse(rate[Math.Min(read + 1, rate.Length)..],
            out long seconds2, out _) && frames > 0 && seconds2 > 0)
            FramesPerSecond = (double)frames / seconds2;
    }

    /// <summary>Errors in the words of ffmpeg; passwords that are part of an address are not repeated.</summary>
    private void AddError(ReadOnlySpan<byte> line, int start)
    {
        string error = Encoding.UTF8.GetString(line[start..]).Trim().TrimEnd('.');
        if (_input is not null)
            error = error.Replace(_input.Address + ": ", "", StringComparison.Ordinal)
                .Replace(_input.Address, _input.Name, StringComparison.Ordinal);
        if (error.Length == 0) return;
        lock (_lock)
        {
            ErrorCount++;
            if (_errors.Contains(error)) return;
            if (_errors.Count == ErrorsKept) _errors.Dequeue();
            _errors.Enqueue(error);
        }
    }
}
