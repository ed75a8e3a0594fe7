namespace Sa2VA.Core;

/// <summary>
/// Writes x's rows into a state from row <see cref="Start"/> on, converting to the state's float type: a KV cache, a memory bank.
/// </summary>
public sealed class WriteRows : Op
{
    internal WriteRows(Tensor state, Tensor x, RuntimeScalar start)
    {
        Inputs = [x, state];
        Start = start;
    }

    /// <summary>First row written.</summary>
    public RuntimeScalar Start { get; }
}

/// <summary>Recording of <see cref="WriteRows"/>.</summary>
public static class WriteRowsExtensions
{
    /// <summary>
    /// Records state[start…] = x and returns the state as [capacity, C] whose first <paramref name="length"/> rows are valid afterwards.
    /// </summary>
    public static Tensor WriteRows(this GraphBuilder g, Tensor state, Tensor x, RuntimeScalar start, RuntimeScalar? length = null)
    {
        if (state.Kind != TensorKind.State || !state.Type.IsFloat() || x.Type != DType.F32 || x.Shape.Last != state.Shape.Last)
            throw g.Error(nameof(WriteRows), $"rows {x} do not fit state {state}.");
        g.RecordInPlace(new WriteRows(state, x, start), state);
        return length is null ? state : state.View(state.Name, state.Shape, length, 0, state.RowStride);
    }
}
