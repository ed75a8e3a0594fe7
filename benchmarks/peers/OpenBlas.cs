using System.Runtime.InteropServices;

namespace Sa2VA.Peers;

/// <summary>OpenBLAS as Debian has it (libopenblas0-pthread). It packs both operands on every call.</summary>
internal static unsafe partial class OpenBlas
{
    private const string Library = "libopenblas.so.0";

    public static string Version => $"{Marshal.PtrToStringAnsi(GetConfig())}, kernels for {Marshal.PtrToStringAnsi(GetCore())}";

    /// <summary>y = x·wᵀ.</summary>
    /// <param name="threads">Threads.</param>
    /// <param name="rows">Rows of x.</param>
    /// <param name="inputs">Columns of x and w.</param>
    /// <param name="outputs">Rows of w.</param>
    /// <param name="x">[rows, inputs].</param>
    /// <param name="w">[outputs, inputs].</param>
    /// <param name="y">[rows, outputs].</param>
    public static void Multiply(int threads, int rows, int inputs, int outputs, float[] x, float[] w, float[] y)
    {
        const int RowMajor = 101, AsItIs = 111, Transposed = 112;
        SetThreads(threads);
        fixed (float* a = x, b = w, c = y)
            Product(RowMajor, AsItIs, Transposed, rows, outputs, inputs, 1, a, inputs, b, inputs, 0, c, outputs);
    }

    [LibraryImport(Library, EntryPoint = "cblas_sgemm")]
    private static partial void Product(int order, int ofA, int ofB, int m, int n, int k, float alpha, float* a, int lda, float* b, int ldb,
        float beta, float* c, int ldc);

    [LibraryImport(Library, EntryPoint = "openblas_set_num_threads")]
    private static partial void SetThreads(int threads);

    [LibraryImport(Library, EntryPoint = "openblas_get_config")]
    private static partial nint GetConfig();

    [LibraryImport(Library, EntryPoint = "openblas_get_corename")]
    private static partial nint GetCore();
}
