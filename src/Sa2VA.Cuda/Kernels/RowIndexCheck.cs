using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>Indices that nobody has looked at are looked at on the device, before anything is written.</summary>
internal sealed class RowIndexCheck
{
    private readonly CudaFunction? _check;
    private readonly int _lowest, _site;

    private RowIndexCheck(PlanContext context, Op op, int lowest, string what)
    {
        _check = context.Function("row_index", "check_row_index");
        _lowest = lowest;
        _site = context.CheckSite(f => $"{op.Name}: index {f.Value} at place {f.Place} is outside the {f.Other} {what}.");
    }

    /// <summary>The check of an index into a table's rows; null where the host has checked it.</summary>
    /// <param name="context">The plan's.</param>
    /// <param name="op">Who reads by it.</param>
    /// <param name="index">I32 [n].</param>
    /// <param name="table">What it points into.</param>
    /// <param name="lowest">The lowest that it may be.</param>
    /// <param name="what">What the rows are, for the message.</param>
    public static RowIndexCheck? For(PlanContext context, Op op, Tensor index, Tensor table, int lowest, string what) =>
        index.Kind == TensorKind.List && table.Length is null ? null : new RowIndexCheck(context, op, lowest, what);

    /// <summary>Launches it.</summary>
    /// <param name="c">Where.</param>
    /// <param name="index">The index.</param>
    /// <param name="table">Of so many rows as an index may point to.</param>
    public void Launch(LaunchContext c, View index, View table)
    {
        var arguments = new Arguments { Run = c.Run, Index = index, Table = table, Lowest = _lowest, Site = _site };
        _check!.Launch(c.Stream, new Grid(1), 256, 0, arguments);
    }

    /// <summary>RowIndexArguments of <c>kernels/row_index.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Index, Table;
        public int Lowest, Site;
    }
}
