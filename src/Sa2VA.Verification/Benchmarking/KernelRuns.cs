using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Cuda;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>Runs of a stage that note each kernel.</summary>
internal static class KernelRuns
{
    /// <summary>Runs a graph some times more.</summary>
    /// <param name="backend">Its backend.</param>
    /// <param name="run">The graph.</param>
    /// <param name="stage">What it is.</param>
    /// <param name="ceilings">Tell how long the work takes that a GPU is given first.</param>
    /// <param name="options">How often, and what a GPU is given.</param>
    /// <returns>Of each run the kernels in their order.</returns>
    public static IReadOnlyList<IReadOnlyList<TimedKernel>> Of(IBackend backend, GraphRun run, BenchmarkStage stage, Ceilings ceilings,
        BenchmarkOptions options)
    {
        var timeline = new Timeline();
        using HostLead? lead = backend is CudaBackend ? new HostLead(backend, options.GpuEffort.CopyBytes, ceilings) : null;
        backend.Timeline = timeline;
        try
        {
            stage.Prepare(run.Rebind());
            long began = Stopwatch.GetTimestamp();
            run.Execute();
            double seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            timeline.Take();
            var runs = new IReadOnlyList<TimedKernel>[options.Runs];
            for (int i = 0; i < runs.Length; i++)
            {
                run.Execute(1, lead is null ? null : queue => lead.Enqueue(queue, seconds));
                runs[i] = [.. timeline.Take().Where(k => k.Op is not null)];
            }
            return runs;
        }
        finally
        {
            backend.Timeline = null;
        }
    }

    /// <summary>A run of a session stage that is made for it, behind an untimed one.</summary>
    public static IReadOnlyList<TimedKernel> Of(SessionBench bench, Func<SessionBench, SessionStage> make)
    {
        var timeline = new Timeline();
        bench.Backend.Timeline = timeline;
        try
        {
            SessionStage stage = make(bench);
            try
            {
                stage.Run();
                timeline.Take();
                stage.Run();
                return timeline.Take();
            }
            finally
            {
                stage.Close();
            }
        }
        finally
        {
            bench.Backend.Timeline = null;
        }
    }

    /// <summary>
    /// Copies that keep a GPU busy while the host enqueues what is to be timed: else short kernels would wait for their launches, and that
    /// would be in their time.
    /// </summary>
    private sealed class HostLead(IBackend backend, long bytes, Ceilings ceilings) : IDisposable
    {
        // The host launches a thousand kernels in less, events included.
        private const double MostSeconds = 0.03;

        private readonly DeviceBuffer _from = backend.Allocate("lead", DType.U8, new Shape(checked((int)bytes))),
            _to = backend.Allocate("lead", DType.U8, new Shape(checked((int)bytes)));

        public void Enqueue(DeviceQueue queue, double seconds)
        {
            double each = 2 * bytes / ceilings.Bandwidth.Median;
            for (double left = Math.Min(seconds, MostSeconds); left > 0; left -= each) queue.Copy(_from, 0, _to, 0, bytes);
        }

        public void Dispose()
        {
            _from.Dispose();
            _to.Dispose();
        }
    }
}
