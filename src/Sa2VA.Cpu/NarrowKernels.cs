using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>The kernels of the CPU that read or write BF16 themselves; for others a copy widens or rounds.</summary>
internal sealed class NarrowKernels : INarrowKernels
{
    private NarrowKernels() { }

    public static NarrowKernels Instance { get; } = new();

    public bool Reads(Op op, int input) => op switch
    {
        Linear or GatedLinear or LinearArgMax or Conv2d or ConvTranspose2d or RotaryEmbedding or Map or Combine => input == 0,
        MatMul or FlashAttention or DecodeAttention or WindowAttention or WriteRows or RotaryAppend or Copy or Gather or Concat or Repeat
            => true,
        _ => false,
    };

    public bool Writes(Op op) => op is Linear or GatedLinear or Conv2d or FlashAttention or DecodeAttention or WindowAttention
        or LayerNorm or RmsNorm or Softmax or Map or Combine or RotaryEmbedding or RotaryAppend or DepthwiseConv2d
        or Copy or Gather or Concat or Repeat;
}
