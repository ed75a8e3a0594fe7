using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Indices are looked at before anything is written.</summary>
internal static unsafe class RowIndex
{
    /// <summary>Refuses an index outside of <paramref name="lowest"/>…<paramref name="rows"/> − 1.</summary>
    public static void Check(string name, int* index, long count, int lowest, long rows, string what)
    {
        for (long i = 0; i < count; i++)
            if (index[i] < lowest || index[i] >= rows)
                throw new GraphException($"{name}: index {index[i]} at place {i} is outside the {rows} {what}.");
    }
}
