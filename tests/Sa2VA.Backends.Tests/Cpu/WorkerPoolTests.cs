using Sa2VA.Cpu;

namespace Sa2VA.Tests;

public class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Every_part_is_done_once(int workers)
    {
        using var pool = new WorkerPool(workers);
        foreach (int parts in (int[])[0, 1, 2, workers, workers + 1, 100])
        {
            var done = new int[parts];
            for (int run = 1; run <= 50; run++)
            {
                pool.Run(new Work(part => Interlocked.Increment(ref done[part])), parts);
                Assert.All(done, times => Assert.Equal(run, times));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void An_exception_of_any_part_reaches_the_caller_and_the_pool_goes_on(int workers)
    {
        using var pool = new WorkerPool(workers);
        foreach (int parts in (int[])[1, 2, 3, 9])
        {
            for (int failing = 0; failing < parts; failing++)
            {
                int done = 0;
                var work = new Work(part =>
                {
                    if (part == failing) throw new InvalidOperationException($"part {part}");
                    Interlocked.Increment(ref done);
                });
                var e = Assert.Throws<InvalidOperationException>(() => pool.Run(work, parts));
                Assert.Equal($"part {failing}", e.Message);

                // The fault belongs to its run alone.
                done = 0;
                pool.Run(new Work(_ => Interlocked.Increment(ref done)), parts);
                Assert.Equal(parts, done);
            }
        }
    }

    [Fact]
    public void An_exception_on_a_thread_of_the_pool_reaches_the_caller()
    {
        using var pool = new WorkerPool(2);
        int caller = Environment.CurrentManagedThreadId;
        using var both = new Barrier(2);
        // The two parts wait for each other, so each thread has one; the one that is not the caller's fails.
        Assert.Throws<InvalidOperationException>(() => pool.Run(new Work(_ =>
        {
            both.SignalAndWait();
            if (Environment.CurrentManagedThreadId != caller) throw new InvalidOperationException();
        }), 2));
    }

    [Fact]
    public void A_closed_pool_refuses_work()
    {
        var pool = new WorkerPool(3);
        pool.Dispose();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Run(new Work(_ => { }), 2));
    }

    private sealed class Work(Action<int> part) : IParallelWork
    {
        public void Run(int index) => part(index);
    }
}
