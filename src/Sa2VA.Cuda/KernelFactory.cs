using Sa2VA.Core;
using Sa2VA.Cuda.Kernels;

namespace Sa2VA.Cuda;

/// <summary>The one table from op to launcher.</summary>
internal static class KernelFactory
{
    public static Kernel Create(Op op, PlanContext context) => op switch
    {
        Linear o => new LinearKernel(o, context),
        GatedLinear o => new GatedLinearKernel(o, context),
        Map o => new MapKernel(o, context),
        Combine o => new CombineKernel(o, context),
        _ => throw new DeviceException($"The CUDA backend has no kernel for {op.GetType().Name} ({op.Name})."),
    };
}
