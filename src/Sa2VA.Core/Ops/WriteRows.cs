using System.Buffers;

namespace Sa2VA.Core;

/// <summary>
/// Writes x's rows into a state, each to the row that <see cref="Rows"/> lists, converting to the state's float type: keys and values of
/// new tokens, a memory. Integers stay as they are.
/// </summary>
public sealed class WriteRows : Op
{
    internal WriteRows(Tensor state, Tensor x, Tensor rows) => Inputs = [x, state, rows];

    /// <summary>The state's row for each row of x, I32; −1: not written.</summary>
    public Tensor Rows => Inputs[2];

    internal override bool ChecksRuns => Rows.Kind == TensorKind.List;

    internal override void CheckRun(ReadOnlySpan<int> numbers) =>
        CheckRows(Rows.ValuesIn(numbers)[..(int)RowCount(Inputs[0], numbers)]);

    /// <summary>Two threads may write two rows at once, so no row may be named twice.</summary>
    private void CheckRows(ReadOnlySpan<int> rows)
    {
        bool rising = true;
        for (int i = 1; i < rows.Length; i++) rising &= rows[i] > rows[i - 1];
        if (rising) return;
        int[] sorted = ArrayPool<int>.Shared.Rent(rows.Length);
        Span<int> all = sorted.AsSpan(0, rows.Length);
        rows.CopyTo(all);
        all.Sort();
        int twice = 1;
        while (twice < all.Length && (all[twice] < 0 || all[twice] != all[twice - 1])) twice++;
        int row = twice < all.Length ? all[twice] : -1;
        ArrayPool<int>.Shared.Return(sorted);
        if (row >= 0) throw new GraphException($"{Name}: row {row} of the state would be written twice.");
    }
}

/// <summary>Recording of row writes.</summary>
public static class WriteRowsExtensions
{
    /// <summary>
    /// Records state[rows[i]] = x[i] and returns the state. Rows of several sequences may stand in any order; −1 leaves a row out, no other
    /// index may occur twice. An index that the state does not have is refused before a row is written.
    /// </summary>
    /// <param name="g">Graph.</param>
    /// <param name="state">[rows, C].</param>
    /// <param name="x">[n, C].</param>
    /// <param name="rows">I32 [n].</param>
    public static Tensor WriteRows(this GraphBuilder g, Tensor state, Tensor x, Tensor rows)
    {
        bool converts = state.Type.IsFloat() ? x.Type == DType.F32 : x.Type == state.Type;
        if (state.Kind != TensorKind.State || !converts || x.Shape.Last != state.Shape.Last)
            throw g.Error(nameof(WriteRows), $"rows {x} do not fit state {state}.");
        if (!rows.ListsRowsOf(x) || !rows.IsWithin(-1, state.Shape.Rows))
            throw g.Error(nameof(WriteRows), $"{rows} does not list a row of {state} for each of {x}.");
        g.RecordInPlace(new WriteRows(state, x, rows), state);
        return state;
    }
}
