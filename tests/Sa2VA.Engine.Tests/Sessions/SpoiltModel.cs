namespace Sa2VA.Tests.Sessions;

/// <summary>A copy of the bundled checkpoint with the values of one BF16 tensor changed, given as bits with the index of each.</summary>
internal sealed class SpoiltModel(string tensor, Func<int, ushort, ushort> change) : IDisposable
{
    /// <summary>The largest finite bfloat16.</summary>
    public const ushort Largest = 0x7F7F;

    public const ushort NaN = 0x7FC0;

    private readonly ChangedCheckpoint _copy = new(Shapes.Folder, tensor, "BF16", change);

    public string Folder => _copy.Folder;

    /// <summary>All values as large as they can be, with their signs: finite, but what is computed with them is not.</summary>
    public static SpoiltModel Overflowing(string tensor) => new(tensor, (_, v) => (ushort)((v & 0x8000) | Largest));

    public void Dispose() => _copy.Dispose();
}
