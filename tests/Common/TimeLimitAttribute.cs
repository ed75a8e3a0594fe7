using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text;
using Xunit.v3;

[assembly: Sa2VA.Tests.TimeLimit]

namespace Sa2VA.Tests;

/// <summary>
/// A test that waits for what never comes would hold a run up for ever: after a while the run is ended, with the names of the tests that
/// had not. So it is where no test begins or ends for as long, as before the first, between two, and behind the last.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class TimeLimitAttribute : BeforeAfterTestAttribute
{
    private static readonly TimeSpan Limit = FullRun.IsAsked ? TimeSpan.FromHours(3) : TimeSpan.FromMinutes(10);
    private static readonly Lock Gate = new();
    private static readonly List<(IXunitTest Test, long Start)> Running = [];
    private static long _latest = Stopwatch.GetTimestamp();

    static TimeLimitAttribute() => new Thread(Watch) { IsBackground = true, Name = "time limit" }.Start();

    /// <inheritdoc/>
    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        lock (Gate) Running.Add((test, _latest = Stopwatch.GetTimestamp()));
    }

    /// <inheritdoc/>
    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        lock (Gate)
        {
            Running.RemoveAll(r => r.Test == test);
            _latest = Stopwatch.GetTimestamp();
        }
    }

    // Allocates nothing before the end: tests count what the process allocates.
    private static void Watch()
    {
        while (!IsOver() || Debugger.IsAttached) Thread.Sleep(1000);
        var text = new StringBuilder();
        lock (Gate)
        {
            if (Running.Count == 0) text.Append("    No test, but a constructor or a fixture [FAIL]\n");
            foreach ((IXunitTest test, long start) in Running)
                text.Append(CultureInfo.InvariantCulture, $"    {test.TestDisplayName} [FAIL]\n")
                    .Append(CultureInfo.InvariantCulture, $"      has not ended for {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s\n");
        }
        text.Append(CultureInfo.InvariantCulture, $"The run is ended, {Limit.TotalMinutes:0} minutes being the limit of a test.\n");
        // Not through Console, which tests may have replaced, and not by an orderly exit, which may wait for what hangs.
        using (Stream error = Console.OpenStandardError()) error.Write(Encoding.UTF8.GetBytes(text.ToString()));
        Process.GetCurrentProcess().Kill();
    }

    private static bool IsOver()
    {
        lock (Gate)
        {
            foreach ((_, long start) in Running)
                if (Stopwatch.GetElapsedTime(start) > Limit) return true;
            return Stopwatch.GetElapsedTime(_latest) > Limit;
        }
    }
}
