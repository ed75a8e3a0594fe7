using Sa2VA.Cli.Devices;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Verification.SelfTest;

namespace Sa2VA.Cli.Doctor;

/// <summary>How a kernel fared in one precision.</summary>
internal sealed record DoctorCheck(KernelCheck Check, Precision Precision)
{
    public string PrecisionName => Precision.Name();

    public override string ToString() => $"{Check.Op}, {Check.What}, in {PrecisionName}: {Check.Problem ?? "as it should be"}";
}

/// <summary>Tells what was found; in the order of the members.</summary>
internal interface IDoctorOutput
{
    /// <summary>The driver and its GPUs.</summary>
    void Found(CudaAvailability gpus);

    /// <summary>The device that is examined.</summary>
    void Chosen(DeviceChoice choice);

    /// <summary>A check.</summary>
    void Checked(DoctorCheck check);

    /// <summary>The families of kernels that a GPU has loaded for all checks; none for the CPU.</summary>
    void Loaded(IReadOnlyList<LoadedKernels> kernels);

    /// <summary>All checks.</summary>
    void End(IReadOnlyList<DoctorCheck> checks, double seconds);
}
