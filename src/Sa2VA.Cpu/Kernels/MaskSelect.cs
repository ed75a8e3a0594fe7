using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>SAM 2's choice among four mask candidates (docs/model/mask-decoder.md#choice-of-a-mask).</summary>
internal sealed unsafe class MaskSelectKernel(MaskSelect op, KernelContext context) : Kernel(op)
{
    private const float StabilityDelta = 0.05f;
    private const float StabilityThreshold = 0.98f;

    private readonly Operand _iousOperand = context.Operand(op.Inputs[0]);
    private readonly Operand? _masksOperand = op.Masks is null ? null : context.Operand(op.Masks);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private RowView _masks, _ious, _out;

    public override int Prepare(in RunContext run)
    {
        (_masks, _ious, _out) = (_masksOperand?.Resolve(run) ?? default, _iousOperand.Resolve(run), _outOperand.Resolve(run));
        return _ious.Rows == 0 ? 0 : 1;
    }

    public override void Run(int part)
    {
        for (long i = 0; i < _ious.Rows; i++)
        {
            // An IoU that is not finite ends at mask 0; the IoUs themselves tell of it.
            int best = 1 + ArgMaxKernel.Of(new ReadOnlySpan<float>(_ious.Row(i) + 1, 3));
            _out.Ints[i] = _masksOperand is null || Stability(_masks.Row(4 * i)) < StabilityThreshold ? best : 0;
        }
    }

    private float Stability(float* mask)
    {
        long inside = 0, around = 0;
        foreach (float m in new ReadOnlySpan<float>(mask, _masks.Columns))
        {
            if (m > StabilityDelta) inside++;
            if (m > -StabilityDelta) around++;
        }
        return around == 0 ? 1 : inside / (float)around;
    }
}
