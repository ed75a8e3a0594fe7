using Sa2VA.Core;
using Sa2VA.Cuda.Kernels;

namespace Sa2VA.Cuda;

/// <summary>The one table from op to launcher.</summary>
internal static class KernelFactory
{
    public static Kernel Create(Op op, PlanContext context) => op switch
    {
        Linear o => new LinearKernel(o, context),
        GatedLinear o => new GatedLinearKernel(o, context),
        LinearArgMax o => new LinearArgMaxKernel(o, context),
        MatMul o => new MatMulKernel(o, context),
        Conv2d o => new Conv2dKernel(o, context),
        ConvTranspose2d o => new ConvTranspose2dKernel(o, context),
        DepthwiseConv2d o => new DepthwiseConv2dKernel(o, context),
        Map o => new MapKernel(o, context),
        Combine o => new CombineKernel(o, context),
        LayerNorm o => new LayerNormKernel(o, context),
        RmsNorm o => new RmsNormKernel(o, context),
        Softmax o => new SoftmaxKernel(o, context),
        Where o => new WhereKernel(o, context),
        Repeat o => new RepeatKernel(o, context),
        Copy o => new CopyKernel(o, context),
        RotaryEmbedding o => new RotaryEmbeddingKernel(o, context),
        LinearRotary o => new LinearRotaryKernel(o, context),
        RotaryAppend o => new RotaryAppendKernel(o, context),
        Gather o => new GatherKernel(o, context),
        Embedding o => new EmbeddingKernel(o, context),
        Concat o => new ConcatKernel(o, context),
        WriteRows o => new WriteRowsKernel(o, context),
        ArgMax o => new ArgMaxKernel(o, context),
        SetBits o => new SetBitsKernel(o, context),
        RepetitionPenalty o => new RepetitionPenaltyKernel(o, context),
        Sample o => new SampleKernel(o, context),
        MaskSelect o => new MaskSelectKernel(o, context),
        PatchRows o => new PatchRowsKernel(o, context),
        Normalize o => new NormalizeKernel(o, context),
        PixelShuffle o => new PixelShuffleKernel(o, context),
        Reorder o => new ReorderKernel(o, context),
        LinearMaxPool o => new LinearMaxPoolKernel(o, context),
        MaxPool2d o => new MaxPool2dKernel(o, context),
        Resize o => new ResizeKernel(o, context),
        PillowResize o => new PillowResizeKernel(o, context),
        PackMasks o => new PackMasksKernel(o, context),
        FlashAttention o => new FlashAttentionKernel(o, context),
        DecodeAttention o => new DecodeAttentionKernel(o, context),
        WindowAttention o => new WindowAttentionKernel(o, context),
        _ => throw new DeviceException($"The CUDA backend has no kernel for {op.GetType().Name} ({op.Name})."),
    };
}
