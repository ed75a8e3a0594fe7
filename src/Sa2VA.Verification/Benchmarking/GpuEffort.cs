namespace Sa2VA.Verification.Benchmarking;

/// <summary>How much a GPU does for a measurement: enough that what the host does for it takes no part.</summary>
/// <param name="CopyBytes">Bytes of the buffer that is copied: far beyond any cache.</param>
/// <param name="ProductSide">Rows, columns and depth of the product.</param>
/// <param name="SecondsInARow">Runs of a stage are enqueued in a row until they take that long.</param>
/// <param name="MostInARow">Most of these.</param>
internal sealed record GpuEffort(long CopyBytes = 1L << 30, int ProductSide = 8192, double SecondsInARow = 0.02,
    int MostInARow = 100);
