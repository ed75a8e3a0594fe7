using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Work of one queue that waits for work of another which fails.</summary>
public sealed class CarriedFailureTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Backends => TestBackend.Names;

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_failure_goes_on_to_who_waits_for_it_in_another_queue_and_ends_when_it_is_told(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var first = new LookUp(backend, "first");
        using DeviceQueue second = backend.CreateQueue("second"), third = backend.CreateQueue("third");
        using DeviceBuffer kept = first.Buffer("kept"), apart = first.Buffer("apart");
        second.Write<float>(kept, [9, 9, 9, 9]);
        Fence good = first.Rows(1, 2), bad = first.Rows(1, 7);
        third.WaitFor(good);
        third.Copy(kept, 0, apart, 0, 4);
        Fence aside = third.Mark();
        second.WaitFor(bad);
        second.Copy(first.Output, 0, kept, 0, 4);
        Fence behind = second.Mark();
        // A queue that waits for one that waited.
        third.WaitFor(behind);
        third.Copy(first.Output, 0, apart, 0, 4);
        Fence last = third.Mark();
        Assert.Contains("token id 7", Assert.Throws<GraphException>(last.Wait).Message, StringComparison.Ordinal);
        Assert.Contains("token id 7", Assert.Throws<GraphException>(behind.Wait).Message, StringComparison.Ordinal);
        Assert.Throws<GraphException>(bad.Wait);
        good.Wait();
        aside.Wait();
        var rows = new float[4];
        second.Read<float>(kept, rows);
        Assert.All(rows, v => Assert.Equal(9, v));

        // All have been told: what is enqueued from now on runs, in every queue.
        second.WaitFor(first.Rows(3, 0));
        second.Copy(first.Output, 0, kept, 0, 4);
        third.WaitFor(second.Mark());
        third.Copy(kept, 0, apart, 0, 4);
        third.Read<float>(apart, rows);
        Assert.Equal([6f, 7, 0, 1], rows);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Who_waits_for_what_failed_long_ago_fails_too(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var first = new LookUp(backend, "first");
        using DeviceQueue second = backend.CreateQueue("second");
        using DeviceBuffer kept = first.Buffer("kept");
        second.Write<float>(kept, [9, 9, 9, 9]);
        Fence[] bad = [first.Rows(1, 8), default, default];
        Assert.Throws<GraphException>(bad[0].Wait);
        for (int i = 1; i < bad.Length; i++)
        {
            bad[i] = first.Rows(9 + i, 0);
            Assert.Throws<GraphException>(bad[i].Wait);
        }
        Fence good = first.Rows(3, 0);
        good.Wait();
        for (int i = 0; i < bad.Length; i++)
        {
            second.WaitFor(bad[i]);
            second.Copy(first.Output, 0, kept, 0, 4);
            string told = Assert.Throws<GraphException>(second.Mark().Wait).Message;
            Assert.Contains($"token id {(i == 0 ? 8 : 9 + i)}", told, StringComparison.Ordinal);
        }
        var rows = new float[4];
        second.Read<float>(kept, rows);
        Assert.All(rows, v => Assert.Equal(9, v));
        second.WaitFor(good);
        second.Copy(first.Output, 0, kept, 0, 4);
        second.Read<float>(kept, rows);
        Assert.Equal([6f, 7, 0, 1], rows);
    }

    /// <summary>The failure is told, and the first queue goes on, before the second comes to where it waited.</summary>
    [Theory]
    [MemberData(nameof(Backends))]
    public void A_failure_that_is_told_meanwhile_still_takes_what_waits_for_it(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var first = new LookUp(backend, "first");
        using DeviceQueue second = backend.CreateQueue("second");
        using DeviceBuffer kept = first.Buffer("kept");
        second.Write<float>(kept, [9, 9, 9, 9]);
        Fence begin = first.Queue.Mark(), bad = first.Rows(7, 1);
        second.WaitFor(bad);
        second.Copy(first.Output, 0, kept, 0, 4);
        Assert.Throws<GraphException>(bad.Wait);
        Fence good = first.Rows(3, 0);
        good.Wait();
        Assert.Throws<GraphException>(second.Mark().Wait);
        var rows = new float[4];
        second.Read<float>(kept, rows);
        Assert.All(rows, v => Assert.Equal(9, v));
        // Work that began before the failure is lost with it, though its end is behind what was told.
        second.WaitFor(good.Since(begin));
        Assert.Throws<GraphException>(second.Mark().Wait);
        second.WaitFor(good);
        second.Mark().Wait();
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_queue_that_others_wait_for_may_be_closed(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using DeviceQueue second = backend.CreateQueue("second");
        var first = new LookUp(backend, "first");
        using DeviceBuffer kept = first.Buffer("kept");
        Fence good = first.Rows(3, 0);
        good.Wait();
        second.WaitFor(good);
        second.Copy(first.Output, 0, kept, 0, 4);
        Fence end = second.Mark();
        first.Dispose();
        end.Wait();
        var rows = new float[4];
        second.Read<float>(kept, rows);
        Assert.Equal([6f, 7, 0, 1], rows);
    }

    /// <summary>Rows of a table by two ids, on a queue of its own.</summary>
    private sealed class LookUp : IDisposable
    {
        private readonly IBackend _backend;
        private readonly ExecutionPlan _plan;
        private readonly DeviceBuffer _ids;
        private readonly BoundPlan _bound;

        public LookUp(IBackend backend, string name)
        {
            _backend = backend;
            Queue = backend.CreateQueue(name);
            var weights = new TestWeights();
            weights.Add("table", DType.F32, new Shape(4, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
            var g = new GraphBuilder("look-up", weights);
            Tensor ids = g.Input("ids", DType.I32, new Shape(2)), y = g.Output("y", g.Embedding(g.Weight("table"), ids));
            _plan = backend.Compile(g.Build(), Cancellation);
            _ids = backend.Allocate("ids", DType.I32, ids.Shape);
            Output = Buffer("y");
            _bound = _plan.Bind(Queue, new PlanBuffers(_plan.Graph).Add(ids, _ids).Add(y, Output));
        }

        public DeviceQueue Queue { get; }

        public DeviceBuffer Output { get; }

        public DeviceBuffer Buffer(string name) => _backend.Allocate(name, DType.F32, new Shape(2, 2));

        /// <summary>The point behind a run; ids from 4 on fail.</summary>
        public Fence Rows(int a, int b)
        {
            Queue.Write<int>(_ids, [a, b]);
            Queue.Run(_bound, Cancellation);
            return Queue.Mark();
        }

        public void Dispose()
        {
            Queue.Dispose();
            _bound.Dispose();
            Output.Dispose();
            _ids.Dispose();
            _plan.Dispose();
        }
    }
}
