using System.Diagnostics;
using System.Globalization;

namespace Sa2VA.Cli;

/// <summary>
/// One line on standard error that is rewritten in place: what is being done, how far, how fast, how long still. Silent in a pipe.
/// </summary>
internal sealed class ProgressLine(TextWriter error, bool enabled)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);
    private readonly Lock _lock = new();
    private string _what = "", _whole = "";
    private long _begun, _started, _shown;
    private double _first;
    private int _length;

    /// <summary>True if anybody sees it.</summary>
    public bool Enabled => enabled;

    /// <summary>Shows a count, such as frames.</summary>
    /// <param name="what">What is being done.</param>
    /// <param name="unit">What is counted, in the plural.</param>
    /// <param name="done">Units done, the one in work by the share of it that is.</param>
    /// <param name="total">Units in all; 0 when not known.</param>
    public void Count(string what, string unit, double done, double total) => Show(what, done, total,
        () => Amount(unit, done, total),
        rate => total == 1 ? "" : rate >= 0.1 ? Text($"{rate:0.0} {unit}/s") : Text($"{1 / rate:0} s each"));

    /// <summary>Shows bytes.</summary>
    /// <param name="what">What is being done.</param>
    /// <param name="done">Bytes done.</param>
    /// <param name="total">Bytes in all.</param>
    public void Bytes(string what, double done, double total) => Show(what, done, total,
        () => Text($"{done / 1e6:0}/{total / 1e6:0} MB"), rate => Text($"{rate / 1e6:0} MB/s"));

    /// <summary>Shows a line as it is.</summary>
    public void Line(string text)
    {
        if (!enabled) return;
        lock (_lock)
        {
            if (_shown != 0 && Stopwatch.GetElapsedTime(_shown) < Interval) return;
            (_shown, _what) = (Stopwatch.GetTimestamp(), "");
            Write(text);
        }
    }

    /// <summary>What is shown from now on is part of a larger whole, whose state stands in front.</summary>
    /// <param name="unit">What is counted, in the singular.</param>
    /// <param name="done">Units done.</param>
    /// <param name="total">Units in all.</param>
    public void Within(string unit, int done, int total)
    {
        if (!enabled) return;
        lock (_lock)
        {
            long now = Stopwatch.GetTimestamp();
            if (done == 0) _begun = now;
            string left = done == 0 ? "" : ", " + Left(Stopwatch.GetElapsedTime(_begun, now).TotalSeconds / done * (total - done));
            (_whole, _what) = (Text($"[{unit} {done + 1}/{total}{left}] "), "");
        }
    }

    /// <summary>Removes the line, so that other text can take its place.</summary>
    public void Clear()
    {
        if (!enabled) return;
        lock (_lock)
        {
            if (_length == 0) return;
            error.Write("\r" + new string(' ', _length) + "\r");
            error.Flush();
            (_length, _shown) = (0, 0);
        }
    }

    private void Show(string what, double done, double total, Func<string> amount, Func<double, string> speed)
    {
        if (!enabled) return;
        lock (_lock)
        {
            long now = Stopwatch.GetTimestamp();
            if (what != _what) (_what, _started, _first, _shown) = (what, now, done, 0);
            if (_shown != 0 && Stopwatch.GetElapsedTime(_shown, now) < Interval && (total == 0 || done < total)) return;
            _shown = now;
            double seconds = Stopwatch.GetElapsedTime(_started, now).TotalSeconds;
            // What was done before the first report took time that is not known.
            double rate = seconds > 0.2 ? (done - _first) / seconds : 0;
            string text = $"{_whole}{what}: {amount()}";
            if (rate > 0 && speed(rate) is { Length: > 0 } known) text += ", " + known;
            if (rate > 0 && done < total) text += ", " + Left((total - done) / rate);
            Write(text);
        }
    }

    private static string Amount(string unit, double done, double total)
    {
        double whole = Math.Floor(done), part = Math.Floor((done - whole) * 100);
        if (total == 1) return Text($"{done * 100:0} %");
        if (total == 0 && done == 1) unit = unit.TrimEnd('s');
        return (total > 0 ? Text($"{whole:0}/{total:0} {unit}") : Text($"{whole:0} {unit}")) + (part > 0 ? Text($" and {part:0} %") : "");
    }

    private void Write(string text)
    {
        error.Write("\r" + text.PadRight(_length));
        error.Flush();
        _length = text.Length;
    }

    private static string Left(double seconds)
    {
        // Hours of all days: a long video may need some.
        TimeSpan left = TimeSpan.FromSeconds(Math.Min(359_999, seconds));
        return Text($"{Math.Floor(left.TotalHours):0}:{left:mm\\:ss} left");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
