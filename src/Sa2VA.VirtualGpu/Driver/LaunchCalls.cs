using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions that launch kernels.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const int Hopper = 90;

    /// <summary>The first version that captures launches which begin early.</summary>
    private const int CapturesEarlyLaunches = 12030;

    /// <summary>Of CUlaunchAttributeID.</summary>
    private const int IgnoredAttribute = 0, ClusterDimension = 4, ProgrammaticSerialization = 6, PriorityAttribute = 8;

    /// <summary>Blocks of a cluster that every card takes.</summary>
    private const uint MostOfCluster = 8;

    private void AddLaunchCalls()
    {
        Add<Launches>("cuLaunchKernel", (function, gx, gy, gz, bx, by, bz, shared, stream, parameters, extra) =>
            Call("cuLaunchKernel", context =>
            {
                var launch = new LaunchConfiguration
                {
                    GridX = gx, GridY = gy, GridZ = gz, BlockX = bx, BlockY = by, BlockZ = bz, SharedBytes = shared, Stream = stream,
                };
                Launch(context, function, launch, parameters, extra);
            }));
        Add<LaunchesAs>("cuLaunchKernelEx", (configuration, function, parameters, extra) => Call("cuLaunchKernelEx", context =>
        {
            NotNull(configuration, "the configuration");
            if (configuration->Count > 0) NotNull(configuration->Attributes, "the attributes");
            Launch(context, function, *configuration, parameters, extra);
        }));
    }

    private void Launch(DriverContext context, nint function, in LaunchConfiguration launch, void** parameters, void** extra)
    {
        DriverStream on = Get<DriverStream>(context, launch.Stream);
        DriverFunction f = Get<DriverFunction>(context, function);
        if (extra != null) throw new DriverException(DriverResult.NotSupported, "parameters in extra are not supported");
        (uint gx, uint gy, uint gz) = (launch.GridX, launch.GridY, launch.GridZ);
        if (gx is < 1 or > int.MaxValue || gy is < 1 or > 65535 || gz is < 1 or > 65535)
            throw Invalid($"{f.Kernel.Name}: a grid of ({gx}, {gy}, {gz}) blocks cannot be launched");
        (uint bx, uint by, uint bz) = (launch.BlockX, launch.BlockY, launch.BlockZ);
        if (bx is < 1 or > 1024 || by is < 1 or > 1024 || bz is < 1 or > 64 || (ulong)bx * by * bz > (ulong)f.Kernel.MaxThreads)
            throw Invalid($"{f.Kernel.Name}: a block of ({bx}, {by}, {bz}) threads, at most {f.Kernel.MaxThreads} are allowed");
        if (launch.SharedBytes > (uint)f.MostDynamicShared)
            throw Invalid($"{f.Kernel.Name}: {launch.SharedBytes} bytes of dynamic shared memory, its attribute allows "
                + $"{f.MostDynamicShared}");
        bool dependent = false;
        Dim3? cluster = f.Kernel.Cluster;
        for (uint n = 0; n < launch.Count; n++)
        {
            LaunchAttribute a = launch.Attributes[n];
            if (a.Id == ProgrammaticSerialization) dependent = a.Value != 0;
            else if (a.Id == ClusterDimension) cluster = ClusterOf(context, f, a);
            else if (a.Id is not (IgnoredAttribute or PriorityAttribute))
                throw new DriverException(DriverResult.NotSupported, $"launch attribute {a.Id} is not supported");
        }
        Dim3 size = cluster ?? new(1);
        if (gx % (uint)size.X != 0 || gy % (uint)size.Y != 0 || gz % (uint)size.Z != 0)
            throw Invalid($"{f.Kernel.Name}: a grid of ({gx}, {gy}, {gz}) blocks is no whole clusters of {size}");
        if (dependent) MayBeginEarly(context, f, on);
        Enqueue(on, new LaunchOperation(f, new((int)gx, (int)gy, (int)gz), new((int)bx, (int)by, (int)bz), (int)launch.SharedBytes,
            Parameters(f.Kernel, parameters), this) { IsDependent = dependent, Cluster = size });
    }

    private static Dim3 ClusterOf(DriverContext context, DriverFunction f, in LaunchAttribute a)
    {
        if (context.Device.Kind.Capability < Hopper)
            throw new DriverException(DriverResult.NotSupported, $"{f.Kernel.Name}: clusters need compute capability 9.0");
        (uint x, uint y, uint z) = ((uint)a.Value, a.Second, a.Third);
        if (x == 0 || y == 0 || z == 0 || (ulong)x * y * z > MostOfCluster)
            throw new DriverException(DriverResult.InvalidClusterSize,
                $"{f.Kernel.Name}: a cluster of ({x}, {y}, {z}) blocks, 1 to {MostOfCluster} are allowed");
        var size = new Dim3((int)x, (int)y, (int)z);
        return f.Kernel.Cluster is not { } own || own == size ? size
            : throw Invalid($"{f.Kernel.Name} demands clusters of {own}, not {size}");
    }

    private void MayBeginEarly(DriverContext context, DriverFunction f, DriverStream on)
    {
        if (context.Device.Kind.Capability < Hopper)
            throw new DriverException(DriverResult.NotSupported, $"{f.Kernel.Name}: programmatic stream serialization needs compute "
                + $"capability 9.0, {context.Device.Kind.Name} has {context.Device.Kind.Capability / 10.0:0.0}");
        if (on.Capture is not null && Options.Version < CapturesEarlyLaunches)
            throw new DriverException(DriverResult.StreamCaptureUnsupported, $"{f.Kernel.Name}: programmatic stream serialization is "
                + "captured by drivers of CUDA 12.3 and newer");
        context.HasDependentLaunches = true;
    }

    private static byte[] Parameters(LoweredKernel kernel, void** parameters)
    {
        if (kernel.Parameters.Length > 0) NotNull(parameters, $"the parameters of {kernel.Name}");
        var block = new byte[kernel.ParameterBytes];
        for (int n = 0; n < kernel.Parameters.Length; n++)
        {
            ParameterSlot slot = kernel.Parameters[n];
            NotNull(parameters[n], $"parameter {slot.Name} of {kernel.Name}");
            new ReadOnlySpan<byte>(parameters[n], slot.Bytes).CopyTo(block.AsSpan(slot.Offset));
        }
        return block;
    }
}
