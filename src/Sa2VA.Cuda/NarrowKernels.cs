using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>Kernels of the GPU read and write either float type wherever the policy asks for it.</summary>
internal sealed class NarrowKernels : INarrowKernels
{
    private NarrowKernels() { }

    public static NarrowKernels Instance { get; } = new();

    public bool Reads(Op op, int input) => true;

    public bool Writes(Op op) => true;
}
