namespace Sa2VA.GpuBench;

/// <summary>What a loop's time is told in.</summary>
internal enum Rate
{
    /// <summary>Clocks for one unit.</summary>
    ClocksEach,

    /// <summary>Units of a block in a clock.</summary>
    PerClock,

    /// <summary>Units of all blocks in a clock.</summary>
    AllPerClock,

    /// <summary>Units of all blocks in a second.</summary>
    AllPerSecond,
}

/// <summary>
/// A kernel of one loop, timed with two numbers of turns: the difference has neither the launch nor what is before and behind the loop.
/// First it runs short and its results are checked.
/// </summary>
/// <param name="Term">What it is of.</param>
/// <param name="Kernel">The kernel.</param>
/// <param name="Rate">What its time is told in.</param>
/// <param name="Units">Of a block in a turn.</param>
/// <param name="IsRight">Whether a thread of a block has the right result after some turns.</param>
internal sealed record LoopBenchmark(Term Term, MicroKernel Kernel, Rate Rate, double Units,
    Func<int, int, uint, bool> IsRight) : MicroBenchmark(Term)
{
    /// <summary>Turns of a check, and of the shorter run on a virtual device, where a turn is as long as any.</summary>
    private const int CheckedTurns = 3, ShortTurns = 4;

    /// <summary>Blocks of a check.</summary>
    private const int Few = 2;

    /// <summary>Blocks of any loop on any card.</summary>
    private const int MostBlocks = 1024;

    /// <summary>Seconds that the longer run, of three times the turns, should take on a card.</summary>
    private const double LongSeconds = 1e-3;

    /// <summary>No loop needs more, however fast a card is.</summary>
    private const int MostTurns = 1 << 24;

    /// <summary>Turns of the shorter run, where they are given.</summary>
    public int Turns { get; init; }

    /// <summary>Blocks of a multiprocessor; 0: one block alone.</summary>
    public int BlocksEach { get; init; }

    /// <summary>Memory that it reads: of all blocks at least so much,</summary>
    public long Bytes { get; init; } = 16;

    /// <summary>and of each block in each turn so much.</summary>
    public long BytesOfTurn { get; init; }

    /// <summary>Fills the memory; null: with bytes of 1, as far as checks read them.</summary>
    public Action<BenchDevice, LoopMemory>? Prepare { get; init; }

    /// <summary>Before each run.</summary>
    public Action<BenchDevice, LoopMemory>? Before { get; init; }

    public override bool IsOfHopper => Kernel.IsOfHopper;

    /// <summary>What memory that nothing else fills is filled with.</summary>
    public const uint Filled = 0x01010101;

    /// <summary>Runs it short.</summary>
    /// <exception cref="InvalidDataException">A thread's result is wrong.</exception>
    public void Check(BenchDevice device) => WithMemory(device, CheckedTurns, Few, memory =>
    {
        int blocks = Math.Min(Blocks(device), Few);
        device.Run(Kernel, blocks, CheckedTurns, memory);
        CheckResults(device.Read<uint>(memory.Output, blocks * Kernel.Threads));
        return 0;
    });

    protected override (Spread, double?) Measure(BenchDevice device, int repetitions)
    {
        Check(device);
        int first = Turns > 0 ? Turns : ShortTurns;
        return WithMemory(device, 3 * first, Blocks(device), memory => Time(device, repetitions, first, memory));
    }

    private int Blocks(BenchDevice device) => BlocksEach == 0 ? 1 : BlocksEach * device.Facts.Multiprocessors;

    private T WithMemory<T>(BenchDevice device, int turns, int blocks, Func<LoopMemory, T> use)
    {
        long bytes = Math.Max(Bytes, BytesOfTurn * turns * blocks);
        // What runs before it may have other blocks than it has.
        LoopMemory memory = new(device.Allocate(bytes), device.Allocate(4L * 1024 * MostBlocks), device.Allocate(8L * MostBlocks));
        try
        {
            if (Prepare is not null) Prepare(device, memory);
            else device.Fill(memory.Input, 1, Math.Min(bytes, 1 << 24));
            return use(memory);
        }
        finally
        {
            device.Free(memory.Input);
            device.Free(memory.Output);
            device.Free(memory.Clocks);
        }
    }

    private (Spread, double?) Time(BenchDevice device, int repetitions, int turns, LoopMemory memory)
    {
        int blocks = Blocks(device);
        // The first run of a grid also brings its memory to L2.
        while (Run(3 * turns).Seconds < LongSeconds && turns < MostTurns && Turns == 0 && !device.IsVirtual) turns *= 2;
        var results = new double[repetitions];
        double longer = 0, counted = 0;
        for (int n = 0; n < repetitions; n++)
        {
            (double Seconds, double Clocks) few = Run(turns), many = Run(3 * turns);
            (double seconds, double clocks) = (many.Seconds - few.Seconds, many.Clocks - few.Clocks);
            // Clocks that do not tick are those of the card that is modelled.
            if (device.IsVirtual) clocks = seconds * device.Rates!.Gigahertz * 1e9;
            (longer, counted) = (longer + seconds, counted + clocks);
            double units = Units * 2 * turns;
            results[n] = Rate switch
            {
                Rate.ClocksEach => clocks / units,
                Rate.AllPerSecond => units * blocks / seconds,
                _ => units * (Rate == Rate.AllPerClock ? blocks : 1) / clocks,
            };
        }
        return (Spread.Of(results), device.IsVirtual ? null : counted / longer * 1e-9);

        (double Seconds, double Clocks) Run(int count)
        {
            Before?.Invoke(device, memory);
            double seconds = device.Run(Kernel, blocks, count, memory);
            return (seconds, device.Read<long>(memory.Clocks, blocks).Average(c => (double)c));
        }
    }

    private void CheckResults(uint[] results)
    {
        for (int n = 0; n < results.Length; n++)
        {
            if (!IsRight(n % Kernel.Threads, CheckedTurns, results[n]))
                throw new InvalidDataException($"{Kernel.Name}: thread {n % Kernel.Threads} of block {n / Kernel.Threads} has "
                    + $"0x{results[n]:x8} after {CheckedTurns} turns, which is wrong");
        }
    }
}
