using Sa2VA.Core;
using Sa2VA.Cpu.Kernels;

namespace Sa2VA.Cpu;

/// <summary>The one table from op to kernel.</summary>
internal static class KernelFactory
{
    public static Kernel Create(Op op, KernelContext context) => op switch
    {
        Linear o => new LinearKernel(o, context),
        GatedLinear o => new GatedLinearKernel(o, context),
        LinearArgMax o => new LinearArgMaxKernel(o, context),
        MatMul o => new MatMulKernel(o, context),
        LayerNorm o => new LayerNormKernel(o, context),
        RmsNorm o => new RmsNormKernel(o, context),
        Softmax o => new SoftmaxKernel(o, context),
        Map o => new MapKernel(o, context),
        Combine o => new CombineKernel(o, context),
        Where o => new WhereKernel(o, context),
        Repeat o => new RepeatKernel(o, context),
        Copy o => new CopyKernel(o, context),
        Normalize o => new NormalizeKernel(o, context),
        FlashAttention o => new FlashAttentionKernel(o, context),
        WindowAttention o => new WindowAttentionKernel(o, context),
        DecodeAttention o => new DecodeAttentionKernel(o, context),
        RotaryEmbedding o => new RotaryEmbeddingKernel(o, context),
        RotaryAppend o => new RotaryAppendKernel(o, context),
        Conv2d o => new Conv2dKernel(o, context),
        DepthwiseConv2d o => new DepthwiseConv2dKernel(o, context),
        ConvTranspose2d o => new ConvTranspose2dKernel(o, context),
        MaxPool2d o => new MaxPool2dKernel(o, context),
        PillowResize o => new PillowResizeKernel(o, context),
        PackMasks o => new PackMasksKernel(o, context),
        Resize o => new ResizeKernel(o, context),
        PixelShuffle o => new PixelShuffleKernel(o, context),
        Gather o => new GatherKernel(o, context),
        Embedding o => new EmbeddingKernel(o, context),
        Concat o => new ConcatKernel(o, context),
        WriteRows o => new WriteRowsKernel(o, context),
        ArgMax o => new ArgMaxKernel(o, context),
        SetBits o => new SetBitsKernel(o, context),
        RepetitionPenalty o => new RepetitionPenaltyKernel(o, context),
        Sample o => new SampleKernel(o, context),
        MaskSelect o => new MaskSelectKernel(o, context),
        _ => throw new DeviceException($"The CPU backend has no kernel for {op.GetType().Name} ({op.Name})."),
    };
}
