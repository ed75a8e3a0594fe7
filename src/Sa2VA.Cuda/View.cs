using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>A tensor as kernels are told of it: <c>View</c> of <c>kernels/common/tensor.cuh</c>, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct View
{
    /// <summary>First element; 0 for a tensor that is not there.</summary>
    public ulong Data;

    /// <summary>All axes but the last, flattened, and the last; what is a run-time length is the capacity here.</summary>
    public int Rows, Columns;

    /// <summary>Elements from a row to the next.</summary>
    public int RowStride;

    /// <summary>
    /// Which of the run's numbers is a length, or −1; rows are then that often <see cref="PerStep"/>, or columns are that where it is 0.
    /// </summary>
    public int Length;

    public int PerStep;

    public DType Type;

    public View(Tensor tensor, ulong root)
    {
        Data = root + (ulong)(tensor.Offset * tensor.Type.Size());
        (Rows, Columns, RowStride) = (checked((int)tensor.Shape.Rows), tensor.Shape.Last, tensor.RowStride);
        Length = tensor.Length?.Index ?? -1;
        PerStep = tensor.Shape.Rank == 1 ? 0 : checked((int)tensor.RowsPerStep);
        Type = tensor.Type;
    }

    /// <summary>A weight matrix.</summary>
    public View(DeviceMatrix matrix)
    {
        (Data, Rows, Columns, RowStride, Type) = (matrix.Address, matrix.Rows, matrix.Columns, matrix.RowStride, matrix.Type);
        (Length, PerStep) = (-1, 0);
    }
}

/// <summary>What all kernels of a run share: <c>Run</c> of <c>kernels/common/tensor.cuh</c>, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RunArguments
{
    /// <summary>The run's block: run-time lengths by index, then the lists. The two integers before it are the run's position.</summary>
    public ulong Numbers;

    /// <summary>Where a check that fails writes what it found; while something stands there, kernels do nothing.</summary>
    public ulong Fault;
}
