using System.Runtime.InteropServices;

namespace Sa2VA.Cuda.Kernels;

/// <summary>What a queue copies from buffer to buffer.</summary>
internal static class CopyBytes
{
    private const int Threads = 256, BytesOfThread = 16;

    public static void Launch(CudaFunction copy, CudaQueue queue, ulong from, ulong to, long bytes) =>
        copy.Launch(queue.Stream, Grid.Over(bytes, BytesOfThread * Threads), Threads, 0, new Arguments
        {
            Run = new RunArguments { Fault = queue.Fault },
            From = from,
            To = to,
            Bytes = bytes,
        });

    /// <summary>CopyBytesArguments of <c>kernels/copy_bytes.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public ulong From, To;
        public long Bytes;
    }
}
