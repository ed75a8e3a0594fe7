using System.Diagnostics;
using System.Runtime.InteropServices;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Peers;

/// <summary>One of those that take turns.</summary>
/// <param name="Name">Who it is.</param>
/// <param name="Run">Does the work once, and waits until it is done.</param>
/// <param name="Ready">Done before each sample and not timed; null for nothing.</param>
internal sealed record Contestant(string Name, Action Run, Action? Ready = null);

/// <summary>What a contestant took.</summary>
/// <param name="Name">Who it is.</param>
/// <param name="Seconds">Time of a run.</param>
/// <param name="InARow">Runs of each sample.</param>
/// <param name="Cores">Processors that this process had on average while it ran.</param>
/// <param name="Times">Its time divided by the first contestant's of the same round: above 1, the first is faster.</param>
internal sealed record Taken(string Name, Spread Seconds, int InARow, double Cores, Spread Times);

/// <summary>Runs contestants by turns, so that what else goes on meanwhile meets all of them.</summary>
internal static unsafe partial class Contest
{
    // Long enough that the clock's steps and the call do not count.
    private const double SecondsOfASample = 0.05;

    /// <summary>
    /// Times them. With one thread the time is the process's own on its processor, which other work on the machine does not lengthen
    /// much; with more it is the wall's.
    /// </summary>
    /// <param name="threads">Threads that each of them uses.</param>
    /// <param name="rounds">Samples of each.</param>
    /// <param name="contestants">Who takes turns; the others are compared with the first.</param>
    public static List<Taken> Hold(int threads, int rounds, IReadOnlyList<Contestant> contestants)
    {
        // Once to get ready; once more, where that is short, to learn how long it takes.
        double[] once = [.. contestants.Select(c => Sample(threads, c, 1).Seconds)];
        int[] inARow = [.. contestants.Select((c, i) => once[i] > 20 * SecondsOfASample ? 1
            : Math.Clamp((int)Math.Ceiling(SecondsOfASample / Sample(threads, c, 1).Seconds), 1, 1000))];
        var seconds = contestants.Select(_ => new List<double>()).ToArray();
        var cores = contestants.Select(_ => new List<double>()).ToArray();
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < contestants.Count; i++)
            {
                (double took, double had) = Sample(threads, contestants[i], inARow[i]);
                seconds[i].Add(took);
                cores[i].Add(had);
            }
        }
        return [.. contestants.Select((c, i) => new Taken(c.Name, Spread.Of(seconds[i]), inARow[i], cores[i].Average(),
            Spread.Of(seconds[i].Zip(seconds[0], (s, first) => s / first))))];
    }

    private static (double Seconds, double Cores) Sample(int threads, Contestant contestant, int inARow)
    {
        contestant.Ready?.Invoke();
        // Workers of the one before spin for a while; a library's own must not share its processors with them.
        Thread.Sleep(threads > 1 ? 150 : 3);
        double used = ProcessorSeconds();
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < inARow; i++) contestant.Run();
        double wall = Stopwatch.GetElapsedTime(began).TotalSeconds;
        used = ProcessorSeconds() - used;
        return ((threads > 1 ? wall : used) / inARow, used / wall);
    }

    private static double ProcessorSeconds()
    {
        const int OfTheProcess = 2;
        long* time = stackalloc long[2];
        if (ReadClock(OfTheProcess, time) != 0) throw new InvalidOperationException("The processor clock cannot be read.");
        return time[0] + time[1] * 1e-9;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ReadClock(int clock, long* time);
}
