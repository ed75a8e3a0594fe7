using System.Diagnostics;

namespace Sa2VA.GpuBench;

/// <summary>What launches cost: alone, one behind the other, as nodes of a graph, with many arguments, and blocks of one launch.</summary>
internal static class LaunchBenchmarks
{
    private const string Measured = "measured on an H200", Assumed = "assumed";

    /// <summary>Bytes of a kernel's parameters, at most 4096 on any driver.</summary>
    private const int ManyBytes = 4000;

    private static readonly Func<VirtualGpu.Timing.CardRates, double> Node =
        r => 1e6 * r.LaunchSeconds + 1e-3 * r.BlockStart / r.Gigahertz;

    public static IEnumerable<MicroBenchmark> All =>
    [
        new BlockBenchmark(new("blocks of one multiprocessor, one behind the other", "BlockStart", "clk", r => r.BlockStart, Assumed,
            Assumed)),
        new NodeBenchmark(new("a node of a graph, empty", "LaunchSeconds + BlockStart", "us", Node, Measured, Assumed), 8, Way.Graph),
        new NodeBenchmark(new($"a node of a graph, {ManyBytes} bytes of arguments", "LaunchSeconds + BlockStart", "us", Node, Measured,
            Assumed), ManyBytes, Way.Graph),
        new NodeBenchmark(new("a node of a graph that may begin early (PDL)", "DependentLaunchSeconds + BlockStart", "us",
            r => 1e6 * r.DependentLaunchSeconds + 1e-3 * r.BlockStart / r.Gigahertz, Measured, ""), 8, Way.EarlyGraph),
        new NodeBenchmark(new("a launch in a stream, behind another", "none", "us", null, "", ""), 8, Way.Stream),
        new NodeBenchmark(new("a launch in a stream, waited for (host)", "none", "us", null, "", ""), 8, Way.Alone),
        new NodeBenchmark(new("a launch of a graph of one node, waited for (host)", "none", "us", null, "", ""), 8, Way.GraphAlone),
    ];

    /// <summary>A kernel that does nothing but look whether its last argument is there.</summary>
    /// <param name="bytes">Of its arguments.</param>
    /// <param name="isEarly">Whether it lets the next one begin before it has ended, and waits for the one before.</param>
    public static string Empty(int bytes, bool isEarly = false) => $$"""
        .version {{(isEarly ? "7.8" : "7.0")}}
        .target {{(isEarly ? "sm_90" : "sm_80")}}
        .address_size 64
        .visible .entry empty(.param .align 8 .b8 arguments[{{bytes}}])
        {
        .reg .b32 %r<2>;
        .reg .pred %p;
        {{(isEarly ? "griddepcontrol.launch_dependents; griddepcontrol.wait;" : "")}}
        ld.param.u32 %r0, [arguments+{{bytes - 4}}];
        setp.eq.s32 %p, %r0, 1;
        @%p bra DONE;
        trap;
        DONE:
        ret;
        }
        """;
}

/// <summary>How a kernel comes to the device.</summary>
internal enum Way
{
    /// <summary>As one of many nodes of a graph.</summary>
    Graph,

    /// <summary>The same, each of which may begin before the one ahead has ended.</summary>
    EarlyGraph,

    /// <summary>As one of many launches in a stream.</summary>
    Stream,

    /// <summary>By itself, and the host waits for it: its clock is the host's.</summary>
    Alone,

    /// <summary>The same as a graph.</summary>
    GraphAlone,
}

/// <summary>An empty kernel's time on its way to the device.</summary>
internal sealed record NodeBenchmark(Term Term, int Bytes, Way Way) : MicroBenchmark(Term)
{
    private const int Few = 100, Many = 500;

    public override bool IsOfHopper => Way == Way.EarlyGraph;

    protected override unsafe (Spread, double?) Measure(BenchDevice device, int repetitions)
    {
        if (Way is Way.Alone or Way.GraphAlone && device.IsVirtual)
            throw new NotSupportedException("a host's time says nothing of a simulated device");
        nint function = device.Function("empty", LaunchBenchmarks.Empty(Bytes, IsOfHopper));
        int grid = device.Facts.Multiprocessors;
        byte[] arguments = new byte[Bytes];
        arguments[^4] = 1;
        double[] results;
        fixed (byte* first = arguments)
        {
            byte* parameter = first;
            results = Way switch
            {
                Way.Stream => Repeat(() => Times(Launches)),
                Way.Alone => Repeat(() => HostSeconds(() => Launches(1))),
                Way.Graph or Way.EarlyGraph => Graphs(),
                _ => OneGraph(),
            };

            void Launches(int count)
            {
                void** parameters = stackalloc void*[] { parameter };
                for (int n = 0; n < count; n++)
                {
                    if (Way == Way.EarlyGraph) device.LaunchEarly(function, grid, 128, parameters);
                    else device.Launch(function, grid, 128, parameters);
                }
            }

            double[] Graphs()
            {
                nint few = device.Capture(() => Launches(Few)), many = device.Capture(() => Launches(Many));
                double[] times = Repeat(() => Times(count => device.LaunchGraph(count == Few ? few : many)));
                device.DestroyGraph(few);
                device.DestroyGraph(many);
                return times;
            }

            double[] OneGraph()
            {
                nint one = device.Capture(() => Launches(1));
                double[] times = Repeat(() => HostSeconds(() => device.LaunchGraph(one)));
                device.DestroyGraph(one);
                return times;
            }
        }
        return (Spread.Of(results.Select(s => 1e6 * s)), null);

        // The first time is for what is made then.
        double[] Repeat(Func<double> measure) => [.. Enumerable.Range(0, repetitions + 1).Select(_ => measure()).ToArray().Skip(1)];

        double Times(Action<int> launch) => (device.Seconds(() => launch(Many)) - device.Seconds(() => launch(Few))) / (Many - Few);

        double HostSeconds(Action launch)
        {
            const int Turns = 50;
            long start = Stopwatch.GetTimestamp();
            for (int n = 0; n < Turns; n++)
            {
                launch();
                device.Synchronize();
            }
            return Stopwatch.GetElapsedTime(start).TotalSeconds / Turns;
        }
    }
}

/// <summary>Empty blocks that each take a multiprocessor's shared memory, so that one begins when another has ended.</summary>
internal sealed record BlockBenchmark(Term Term) : MicroBenchmark(Term)
{
    private const int FewWaves = 10, ManyWaves = 50;

    protected override unsafe (Spread, double?) Measure(BenchDevice device, int repetitions)
    {
        string ptx = LaunchBenchmarks.Empty(8);
        nint function = device.Function("empty", ptx);
        int shared = device.Facts.SharedBytes;
        device.Check(device.Driver.FuncSetAttribute(function, Cuda.Driver.FunctionAttribute.MaxDynamicSharedSizeBytes, shared),
            "asking for shared memory");
        ulong argument = 1ul << 32;
        void** parameters = stackalloc void*[] { &argument };
        var results = new double[repetitions];
        // A card's clock under so light a load is its highest.
        double gigahertz = device.Rates?.Gigahertz ?? throw new NotSupportedException("the clock of this card is not known");
        for (int n = 0; n < repetitions; n++) results[n] = (Waves(ManyWaves) - Waves(FewWaves)) / (ManyWaves - FewWaves) * gigahertz * 1e9;
        return (Spread.Of(results), null);

        double Waves(int count) =>
            device.Seconds(() => device.Launch(function, count * device.Facts.Multiprocessors, 128, parameters, shared));
    }
}
