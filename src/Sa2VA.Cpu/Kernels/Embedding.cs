using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Looks token rows up in the stored table, or in the overriding rows where the id is negative; without these a negative id gives NaN.
/// </summary>
internal sealed unsafe class EmbeddingKernel(Embedding op, KernelContext context) : Kernel(op)
{
    private readonly Operand _idsOperand = context.Operand(op.Inputs[0]);
    private readonly Operand? _overridesOperand = op.Inputs.Count > 1 ? context.Operand(op.Inputs[1]) : null;
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly WeightData _table = context.Stored(op.Table);
    private readonly int _vocabulary = op.Table.Shape[0];
    private RowView _ids, _overrides, _out;

    public override int Prepare(in RunContext run)
    {
        (_ids, _out) = (_idsOperand.Resolve(run), _outOperand.Resolve(run));
        if (_overridesOperand is { } o) _overrides = o.Resolve(run);
        for (long i = 0; i < _out.Rows; i++)
        {
            int id = _ids.Ints[i];
            if (id >= _vocabulary) throw new GraphException($"{Name}: token id {id} is outside the vocabulary of {_vocabulary}.");
            if (_overridesOperand is not null && -1L - id >= _overrides.Rows)
                throw new GraphException($"{Name}: image row {-1L - id} is outside the {_overrides.Rows} given.");
        }
        return _out.Rows > 0 ? 1 : 0;
    }

    public override void Run(int part)
    {
        int columns = _out.Columns;
        for (long i = 0; i < _out.Rows; i++)
        {
            int id = _ids.Ints[i];
            var to = new Span<float>(_out.Row(i), columns);
            if (id >= 0) Widen.Row(_table.Pointer, _table.Info.Type, (long)id * columns, to);
            // An id that says "not finite" was fed back.
            else if (_overridesOperand is null) to.Fill(float.NaN);
            else Widen.Row(_overrides.Pointer, _overrides.Type, (-1L - id) * _overrides.RowStride, to);
        }
    }
}
