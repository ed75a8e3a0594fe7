using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>Native memory and threads that their owner forgot, and owners disposed while others use them.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class OwnershipTests
{
    private static readonly Shape Megabyte = new(256, 1024);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Forgotten_buffers_go_with_the_collector()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        Forget(backend, 50);
        Collect();
        Assert.Equal(0, backend.Memory.Buffers);
    }

    [Fact]
    public void A_budget_is_refused_only_after_forgotten_buffers_came_back()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1, MemoryBudget = 3 << 20 });
        for (int i = 0; i < 20; i++) Forget(backend, 2);
        using DeviceBuffer kept = backend.Allocate("kept", DType.F32, new Shape(512, 1024));
        Assert.Throws<DeviceMemoryException>(() => backend.Allocate("too much", DType.F32, new Shape(512, 1024)));
        Assert.Equal(kept.Bytes, backend.Memory.Total);
    }

    [Fact]
    public void A_forgotten_backend_gives_its_memory_and_threads_back()
    {
        (WeakReference backend, MemoryAccount account, IReadOnlyList<Thread> threads) = RunAndForget();
        for (int i = 0; i < 50 && (backend.IsAlive || account.Memory.Total > 0); i++)
        {
            Collect();
            Thread.Sleep(2);
        }
        Assert.False(backend.IsAlive);
        Assert.Equal(default, account.Memory);
        Assert.All(threads, t => Assert.True(t.Join(TimeSpan.FromSeconds(30))));

        [MethodImpl(MethodImplOptions.NoInlining)]
        static (WeakReference, MemoryAccount, IReadOnlyList<Thread>) RunAndForget()
        {
            var backend = new CpuBackend(new CpuOptions { Threads = 3 });
            var net = new EveryOp(backend);
            for (int i = 0; i < 50; i++) net.Run();
            Assert.True(backend.Memory is { Weights: > 0, Arena: > 0, Buffers: > 0 });
            Assert.Equal(2, backend.Pool.Threads.Count);
            return (new WeakReference(backend), backend.Account, [.. backend.Pool.Threads, ((CpuQueue)net.Queue).Thread!]);
        }
    }

    [Fact]
    public void Threads_cannot_pass_the_budget_together()
    {
        const int Fit = 5;
        for (int round = 0; round < 8; round++)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = 1, MemoryBudget = (Fit << 20) + 100 });
            var got = new List<DeviceBuffer>();
            long most = 0;
            Together(4, _ =>
            {
                for (int i = 0; i < 3; i++)
                {
                    try
                    {
                        DeviceBuffer buffer = backend.Allocate("b", DType.F32, Megabyte);
                        lock (got) got.Add(buffer);
                    }
                    catch (DeviceMemoryException) { }
                    lock (got) most = Math.Max(most, backend.Memory.Total);
                }
            });
            Assert.Equal(Fit, got.Count);
            Assert.InRange(most, 0, (Fit << 20) + 100);
            foreach (DeviceBuffer buffer in got) buffer.Dispose();
            Assert.Equal(0, backend.Memory.Total);
        }
    }

    [Fact]
    public void A_buffer_disposed_while_it_is_used_is_freed_afterwards()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        for (int round = 0; round < 12; round++)
        {
            DeviceBuffer buffer = backend.Allocate("b", DType.F32, Megabyte);
            Together(4, thread =>
            {
                var values = new float[buffer.Shape.Count];
                using DeviceQueue queue = backend.CreateQueue("test");
                if (thread == 0)
                {
                    Thread.SpinWait(round * 6000);
                    buffer.Dispose();
                    buffer.Dispose();
                }
                else
                    UntilDisposed(() =>
                    {
                        if (thread == 1) queue.Write<float>(buffer, values);
                        else queue.Read<float>(buffer, values);
                    });
            });
            Assert.Equal(0, backend.Memory.Buffers);
        }
    }

    [Theory]
    [InlineData("buffer")]
    [InlineData("plan")]
    [InlineData("binding")]
    [InlineData("queue")]
    [InlineData("backend")]
    public void What_is_disposed_during_runs_ends_them_without_harm(string what)
    {
        for (int round = 0; round < 6; round++)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = 1 + round % 2 });
            using var net = new EveryOp(backend);
            float[] right = [.. net.Run()];
            Together(3, thread =>
            {
                if (thread == 0)
                {
                    Thread.SpinWait(round * 15000);
                    if (what == "buffer") net.Output.Dispose();
                    else if (what == "plan") net.Plan.Dispose();
                    else if (what == "binding") net.Bound.Dispose();
                    else if (what == "queue") net.Queue.Dispose();
                    else backend.Dispose();
                }
                else
                    UntilDisposed(() =>
                    {
                        net.Queue.Run(net.Bound, Cancellation);
                        net.Queue.Mark().Wait();
                        if (what != "buffer" && thread == 1) Assert.Equal(right, net.Run());
                    });
            });
            Assert.Throws<ObjectDisposedException>(() => net.Queue.Run(net.Bound, Cancellation));
            if (what == "plan") Assert.Equal(0, backend.Memory.Weights);
        }
    }

    /// <summary>Repeats an action until it meets a disposed object; any other exception is a failure.</summary>
    private static void UntilDisposed(Action action)
    {
        try
        {
            while (true) action();
        }
        catch (ObjectDisposedException) { }
    }

    private static void Together(int threads, Action<int> action)
    {
        Exception? fault = null;
        Thread[] all = [.. Enumerable.Range(0, threads).Select(i => new Thread(() =>
        {
            try
            {
                action(i);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref fault, e, null);
            }
        }))];
        foreach (Thread t in all) t.Start();
        foreach (Thread t in all) t.Join();
        Assert.Null(fault);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(CpuBackend backend, int buffers)
    {
        for (int i = 0; i < buffers; i++) _ = backend.Allocate("forgotten", DType.F32, Megabyte);
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
