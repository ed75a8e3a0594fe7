namespace Sa2VA.Cpu.Kernels;
using Sa2VA.Core;
internal abstract class Missing(Op op) : Kernel(op) { public override int Prepare(in RunContext run) => throw new NotSupportedException(); public override void Run(int part) {} }
internal sealed class FlashAttentionKernel(FlashAttention op, KernelContext c) : Missing(op) { private readonly KernelContext _c = c; public override string ToString() => _c.ToString()!; }
internal sealed class WindowAttentionKernel(WindowAttention op, KernelContext c) : Missing(op) { private readonly KernelContext _c = c; public override string ToString() => _c.ToString()!; }
internal sealed class DecodeAttentionKernel(DecodeAttention op, KernelContext c) : Missing(op) { private readonly KernelContext _c = c; public override string ToString() => _c.ToString()!; }
internal sealed class RotaryEmbeddingKernel(RotaryEmbedding op, KernelContext c) : Missing(op) { private readonly KernelContext _c = c; public override string ToString() => _c.ToString()!; }
