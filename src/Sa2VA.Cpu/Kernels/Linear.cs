using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>The GEMM with bias, activation, layer scale and residual.</summary>
internal sealed unsafe class LinearKernel(Linear op, KernelContext context) : GemmKernel(op, context.Packed(op, op.Weight), context)
{
    private readonly Operand? _residualOperand = op.Residual is null ? null : context.Operand(op.Residual);
    private readonly float* _bias = context.Vector(op.Bias), _scale = context.Vector(op.Scale);
    private readonly Activation _activation = op.Activation;
    private RowView _residual;

    public override int Prepare(in RunContext run)
    {
        _residual = _residualOperand?.Resolve(run) ?? default;
        return base.Prepare(run);
    }

    protected override void Run<T>(int part) => Multiply<T, Epilogue>(part,
        new(MatrixRows.Of(Out), Out.Columns, _bias, _activation, _scale, MatrixRows.Of(_residual)));
}
