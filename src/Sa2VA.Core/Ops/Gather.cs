namespace Sa2VA.Core;

/// <summary>
/// Rows of a table by index: out[i] = table[index[i]], or out[i] = table[i, index[i]] where each has a table of its own; a negative index
/// gives a row of zeros. Keeps the table's element type.
/// </summary>
public sealed class Gather : Op
{
    internal Gather(Tensor table, Tensor index) => Inputs = [table, index];
}

/// <summary>Recording of <see cref="Gather"/>.</summary>
public static class GatherExtensions
{
    /// <summary>Records table[index]; table [n, C], or [k, n, C] for tables of their own, index I32 [k] → [k, C].</summary>
    public static Tensor Gather(this GraphBuilder g, Tensor table, Tensor index)
    {
        bool own = table.Shape.Rank == 3 && table.Shape[0] == index.Shape[0] && table.Length == index.Length;
        if (index.Type != DType.I32 || index.Shape.Rank != 1 || table.Shape.Rank != 2 && !own
            || !index.IsWithin(int.MinValue, own ? table.Shape[1] : table.Shape.Rows))
            throw g.Error(nameof(Gather), $"table {table} and index {index} do not fit.");
        return g.Record(new Gather(table, index), table.Type, new Shape(index.Shape[0], table.Shape.Last), index.Length);
    }
}
