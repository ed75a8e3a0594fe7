using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>The registers that an instruction reads and writes.</summary>
internal readonly record struct RegisterUse(List<PtxRegister> Reads, List<PtxRegister> Writes)
{
    public static RegisterUse Of(PtxInstruction i)
    {
        var use = new RegisterUse([], []);
        if (i.Guard is not null) use.Reads.Add(i.Guard);
        for (int n = 0; n < i.Operands.Length; n++) Add(i.Operands[n], n == 0 && HasResult(i) ? use.Writes : use.Reads, use.Reads);
        // A product of a warpgroup adds to what its sums are.
        if (IsWarpgroupProduct(i)) use.Reads.AddRange(use.Writes);
        return use;
    }

    public static bool IsWarpgroupProduct(PtxInstruction i) => i.Name == "wgmma" && i.Modifiers.Contains("mma_async");

    /// <summary>Whether the first operand is a result.</summary>
    private static bool HasResult(PtxInstruction i) => i.Name switch
    {
        "st" or "red" or "cp" or "bra" or "prefetch" or "prefetchu" or "nanosleep" => false,
        "bar" or "barrier" => i.Modifiers.Contains("red"),
        _ => true,
    };

    private static void Add(PtxOperand operand, List<PtxRegister> to, List<PtxRegister> addresses)
    {
        switch (operand)
        {
            case RegisterOperand r:
                to.Add(r.Register);
                break;
            case PairOperand pair:
                if (pair.First is not null) to.Add(pair.First);
                if (pair.Second is not null) to.Add(pair.Second);
                break;
            case AddressOperand address:
                if (address.Register is not null) addresses.Add(address.Register);
                if (address.Coordinates is not null) Add(address.Coordinates, addresses, addresses);
                break;
            case VectorOperand vector:
                foreach (PtxOperand item in vector.Items) Add(item, to, addresses);
                break;
        }
    }
}
