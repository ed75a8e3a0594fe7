using System.Diagnostics;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>How long a run takes.</summary>
/// <param name="Seconds">Time of a run, as one of <paramref name="InARow"/> that were enqueued together.</param>
/// <param name="InARow">How many those were.</param>
/// <param name="Alone">Time from enqueuing a single run until the host knows that it is done; null where that is what was timed.</param>
/// <param name="Cores">Processors that this process had meanwhile.</param>
internal sealed record RunTimes(Spread Seconds, int InARow, Spread? Alone, double Cores)
{
    /// <summary>Times runs one by one, an untimed one before them.</summary>
    /// <param name="run">Does it, and waits until it is done.</param>
    /// <param name="runs">How often.</param>
    public static RunTimes OneByOne(Action run, int runs)
    {
        run();
        (Spread seconds, double cores) = Time(run, runs);
        return new RunTimes(seconds, 1, null, cores);
    }

    /// <summary>
    /// Times runs of a device that works while the host enqueues the next: one by one, then as many in a row as make what the host does
    /// once small against them.
    /// </summary>
    /// <param name="run">Enqueues that many, and waits until the last is done.</param>
    /// <param name="runs">How often.</param>
    /// <param name="effort">How many in a row.</param>
    public static RunTimes InRows(Action<int> run, int runs, GpuEffort effort)
    {
        RunTimes alone = OneByOne(() => run(1), runs);
        int count = (int)Math.Clamp(Math.Ceiling(effort.SecondsInARow / alone.Seconds.Median), 1, effort.MostInARow);
        if (count == 1) return alone;
        (Spread seconds, double cores) = Time(() => run(count), runs);
        return new RunTimes(seconds.Times(1.0 / count), count, alone.Seconds, cores);
    }

    private static (Spread Seconds, double Cores) Time(Action run, int runs)
    {
        var seconds = new double[runs];
        TimeSpan used = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < runs; i++)
        {
            long began = Stopwatch.GetTimestamp();
            run();
            seconds[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        return (Spread.Of(seconds), (Environment.CpuUsage.TotalTime - used).TotalSeconds / seconds.Sum());
    }
}
