using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// Which registers of a warp products in flight use, and which were written since the last <c>wgmma.fence</c>. Registers are virtual ones
/// by their numbers: what shares a row in the virtual GPU is told apart.
/// </summary>
internal sealed class ProductRegisters(int count)
{
    private readonly List<(long Group, Instruction Product)> flying = [];

    /// <summary>By register the last product in flight that adds to it, and the last that reads it as a factor.</summary>
    private readonly Instruction?[] sums = new Instruction?[count], factors = new Instruction?[count];

    /// <summary>By register the ordinary instruction that has written it since the last fence.</summary>
    private readonly Instruction?[] changed = new Instruction?[count];
    private readonly List<int> changes = [];

    public void Clear()
    {
        flying.Clear();
        Array.Clear(sums);
        Array.Clear(factors);
        Fence();
    }

    public void Fence()
    {
        foreach (int r in changes) changed[r] = null;
        changes.Clear();
    }

    /// <summary>An ordinary instruction that reads or writes registers of products.</summary>
    public void Check(Warp w, Instruction i)
    {
        foreach (int r in i.ProductReads)
            if (sums[r] is { } product) throw Fault(w, i, "reads", product);
        foreach (int r in i.ProductWrites)
        {
            if ((sums[r] ?? factors[r]) is { } product) throw Fault(w, i, "writes", product);
            if (changed[r] is null) changes.Add(r);
            changed[r] = i;
        }
    }

    private static GpuFaultException Fault(Warp w, Instruction i, string does, Instruction product) =>
        w.Fault(FaultKind.ProductInFlight, i, $"the instruction {does} a register that line {product.Source.Line} ({product.Source}) uses, "
            + "which has not been waited for (wgmma.wait_group)");

    /// <summary>A product of a group is issued. It may add to what others of its shape add to.</summary>
    public void Issue(Warp w, Instruction i, long group)
    {
        foreach (int r in i.ProductReads)
        {
            if (sums[r] is { } product) throw Fault(w, i, "reads as a factor", product);
            CheckFence(w, i, r);
        }
        foreach (int r in i.ProductWrites)
        {
            if (factors[r] is { } reader) throw Fault(w, i, "adds to", reader);
            if (sums[r] is { } product && !product.ProductWrites.AsSpan().SequenceEqual(i.ProductWrites))
                throw Fault(w, i, "adds, with other registers besides, to", product);
            CheckFence(w, i, r);
        }
        flying.Add((group, i));
        Note(i);
    }

    private void CheckFence(Warp w, Instruction i, int r)
    {
        if (changed[r] is { } writer)
            throw w.Fault(FaultKind.MissingFence, i, $"a register of the product was written by line {writer.Source.Line} "
                + $"({writer.Source}), and no wgmma.fence follows");
    }

    private void Note(Instruction i)
    {
        foreach (int r in i.ProductReads) factors[r] = i;
        foreach (int r in i.ProductWrites) sums[r] = i;
    }

    /// <summary>Groups before that one have been waited for.</summary>
    public void Wait(long group)
    {
        foreach ((long of, Instruction i) in flying)
        {
            if (of >= group) continue;
            foreach (int r in i.ProductReads) factors[r] = null;
            foreach (int r in i.ProductWrites) sums[r] = null;
        }
        flying.RemoveAll(f => f.Group < group);
        foreach ((_, Instruction i) in flying) Note(i);
    }
}
