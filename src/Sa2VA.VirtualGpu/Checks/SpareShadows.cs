using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu.Checks;

// Shadows of ended launches are used again: one has megabytes, and launches follow each other quickly.
internal sealed partial class SharedShadow
{
    /// <summary>Shadows that are kept, and steps after which one is not: these are numbers of 32 bits.</summary>
    private const int Most = 16;
    private const uint MostSteps = 1u << 29;

    private static readonly List<SharedShadow> Spare = [];
    private static readonly Lock Gate = new();

    /// <summary>A shadow for blocks of so many warps and bytes, of that many in a cluster; <see cref="GiveBack"/> ends its use.</summary>
    public static SharedShadow Take(int blocks, int warpsOfBlock, int bytes, LoweredKernel kernel)
    {
        lock (Gate)
        {
            // The last first: launches mostly resemble the one before.
            for (int n = Spare.Count - 1; n >= 0; n--)
            {
                SharedShadow s = Spare[n];
                if (s.blocks != blocks || s.warpsOfBlock != warpsOfBlock || s.written.Length < blocks * Room(bytes) && blocks > 1
                    || s.written.Length < bytes || s.cellShift != kernel.CellShift || s.hasProducts != HasProducts(kernel)
                    || s.isAsynchronous != kernel.IsAsynchronous || s.storing is not null != kernel.HasBulkStores) continue;
                Spare.RemoveAt(n);
                s.code = kernel.Code;
                s.used = bytes;
                return s;
            }
        }
        return new(blocks, warpsOfBlock, bytes, kernel);
    }

    private static bool HasProducts(LoweredKernel kernel) => kernel.ProductRegisters > 0;

    /// <summary>The launch has ended.</summary>
    public void GiveBack()
    {
        code = [];
        if (last > MostSteps) return;
        lock (Gate)
        {
            if (Spare.Count == Most) Spare.RemoveAt(0);
            Spare.Add(this);
        }
    }
}
