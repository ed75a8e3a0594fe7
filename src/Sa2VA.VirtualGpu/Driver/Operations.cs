using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Work of a device: runs on the dispatcher's thread, beside calls but beside no other work.</summary>
internal abstract class Operation(DriverContext context)
{
    protected DriverContext Context => context;

    /// <summary>What messages call it.</summary>
    public abstract string Name { get; }

    /// <param name="turn">This run of it.</param>
    /// <exception cref="DriverException">The work faults its context.</exception>
    public abstract void Run(WorkTurn turn);

    /// <summary>Addresses that a copy or a fill names must be there both when it is enqueued and when it runs.</summary>
    protected void Covered(ulong address, ulong bytes, string what)
    {
        if (!context.Memory.Covers(address, bytes))
            throw new DriverException(DriverResult.IllegalAddress,
                $"{what} of {bytes} bytes at 0x{address:x}, {context.Memory.Describe(address)}", tellsCaller: true);
    }
}

/// <summary>A launch with its parameters as they were at the call.</summary>
internal sealed class LaunchOperation(
    DriverFunction function, Dim3 grid, Dim3 block, int dynamicShared, byte[] parameters, VirtualDriver driver)
    : Operation(function.Context)
{
    public override string Name => function.Kernel.Name;

    /// <summary>Whether it may begin before the launch before it has ended (programmatic stream serialization).</summary>
    public bool IsDependent { get; init; }

    /// <summary>Blocks of a cluster along each dimension.</summary>
    public Dim3 Cluster { get; init; } = new(1);

    /// <summary>Runs its first blocks, as a card may beside the launch before it, up to where they wait for that.</summary>
    public void Begin(WorkTurn turn, int blocks)
    {
        if (function.Module.IsUnloaded) return;
        LaunchPlan plan = PlanOf(turn);
        if (plan.Trace is null && plan.Options.SampleBlocks == 0 && Cluster.Count == 1) turn.Early = EarlyBlocks.Begin(plan, blocks);
    }

    private LaunchPlan PlanOf(WorkTurn turn)
    {
        if (turn.Plan is { } begun) return begun;
        bool watches = driver.Options.Execution.WatchesGlobalMemory;
        if (watches && (IsDependent || Context.HasDependentLaunches)) turn.Touched ??= new();
        return turn.Plan = new LaunchPlan(function.Kernel, grid, block, function.Kernel.StaticShared + dynamicShared, parameters,
            function.Module.Variables, Context.Memory, driver.Options.Execution, driver.Ending)
        {
            // The time of clusters is not modelled.
            Trace = driver.Options.ModelTimes && Cluster.Count == 1 ? new() : null,
            Cluster = Cluster,
            Touched = turn.Touched,
            Dependent = IsDependent ? new(watches ? new() : null) : null,
        };
    }

    public override void Run(WorkTurn turn)
    {
        driver.Inject.OnLaunch(function.Kernel.Name);
        if (function.Module.IsUnloaded)
            throw new DriverException(DriverResult.IllegalAddress, $"{function.Kernel.Name} runs after its module was unloaded",
                tellsCaller: true);
        LaunchPlan plan = PlanOf(turn);
        LaunchCounters counters;
        try
        {
            counters = Run(plan, turn);
        }
        catch (GpuFaultException e)
        {
            throw new DriverException(e.Kind switch
            {
                FaultKind.OutOfBounds => DriverResult.IllegalAddress,
                FaultKind.Misaligned => DriverResult.MisalignedAddress,
                _ => DriverResult.LaunchFailed,
            }, e.Message, tellsCaller: true);
        }
        ModelledTime? time = Model(plan);
        Context.Device.Clock += time?.Seconds ?? 0;
        driver.NoteLaunch(new(function.Kernel.Name, Context.Device.Ordinal, grid, block, plan.SharedBytes, counters) { Time = time });
    }

    private LaunchCounters Run(LaunchPlan plan, WorkTurn turn)
    {
        LaunchCounters counters;
        try
        {
            counters = Grid.Run(plan, turn.Early);
        }
        catch (GpuFaultException)
        {
            // What came too early met anything.
            turn.Before?.Check(plan);
            throw;
        }
        turn.Before?.Check(plan);
        if (plan.Touched is { } touched && Context.HasDependentLaunches)
            turn.After = LaunchesBefore.Next(new(plan, touched, Context.Memory.Removals), turn.Before);
        return counters;
    }

    private ModelledTime? Model(LaunchPlan plan)
    {
        if (plan.Trace is null || Context.Device.Kind.Rates is not { } card) return null;
        int registers = driver.Options.Registers?.Invoke(plan.Kernel.Name, Context.Device.Kind.Capability) ?? plan.Kernel.LiveRegisters;
        var launch = TracedLaunch.Of(plan, plan.Trace, card, registers);
        return TimeModel.Of(launch, card, Context.Device.Touched.Missed(launch));
    }
}

/// <summary>A copy from host memory: a copy of it that was made at the call, or pinned memory that is read when the work runs.</summary>
internal sealed unsafe class UploadOperation(
    DriverContext context, ulong to, byte[]? taken, nint from, ulong bytes, Func<nint, ulong, bool> isPinned)
    : Operation(context)
{
    public override string Name => "copy from the host";

    public override void Run(WorkTurn turn)
    {
        Covered(to, bytes, Name);
        turn.Touched?.Add(GlobalTouch.Write, to, bytes);
        if (taken is not null)
        {
            fixed (byte* p = taken) Context.Memory.Write(to, p, bytes);
            return;
        }
        if (!isPinned(from, bytes))
            throw new DriverException(DriverResult.IllegalAddress, $"copy of {bytes} bytes from host memory that was freed",
                tellsCaller: true);
        Context.Memory.Write(to, (byte*)from, bytes);
    }
}

/// <summary>A copy to host memory.</summary>
internal sealed unsafe class DownloadOperation(DriverContext context, nint to, ulong from, ulong bytes, Func<nint, ulong, bool>? isPinned)
    : Operation(context)
{
    public override string Name => "copy to the host";

    public override void Run(WorkTurn turn)
    {
        Covered(from, bytes, Name);
        turn.Touched?.Add(GlobalTouch.Read, from, bytes);
        if (isPinned is not null && !isPinned(to, bytes))
            throw new DriverException(DriverResult.IllegalAddress, $"copy of {bytes} bytes to host memory that was freed",
                tellsCaller: true);
        Context.Memory.Read(from, (byte*)to, bytes);
    }
}

internal sealed class CopyOperation(DriverContext context, ulong to, ulong from, ulong bytes) : Operation(context)
{
    public override string Name => "copy";

    public override void Run(WorkTurn turn)
    {
        Covered(from, bytes, Name);
        Covered(to, bytes, Name);
        turn.Touched?.Add(GlobalTouch.Read, from, bytes);
        turn.Touched?.Add(GlobalTouch.Write, to, bytes);
        Context.Memory.Copy(to, from, bytes);
        Context.Device.Clock += 2 * bytes / (Context.Device.Kind.Rates?.DramBytesPerSecond ?? double.PositiveInfinity);
    }
}

internal sealed class FillOperation(DriverContext context, ulong to, byte value, ulong bytes) : Operation(context)
{
    public override string Name => "fill";

    public override void Run(WorkTurn turn)
    {
        Covered(to, bytes, Name);
        turn.Touched?.Add(GlobalTouch.Write, to, bytes);
        Context.Memory.Fill(to, value, bytes);
    }
}
