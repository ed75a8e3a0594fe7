using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>A row that holds one value in all lanes: 128 or 256 bytes, or 4 for a predicate.</summary>
internal readonly record struct ConstantRow(int Offset, ulong Value, int Bytes);

/// <summary>A row that holds the address of a variable of the module in all lanes, by the variable's number.</summary>
internal readonly record struct VariableRow(int Offset, int Variable);

/// <summary>A row that is filled when a block begins: a special register by name.</summary>
internal readonly record struct SpecialRow(int Offset, string Name);

/// <summary>Where a parameter lies in the block of parameters.</summary>
internal readonly record struct ParameterSlot(string Name, int Offset, int Bytes);

/// <summary>A kernel ready to run.</summary>
internal sealed class LoweredKernel(string name, Instruction[] code)
{
    public string Name => name;

    public Instruction[] Code => code;

    public required int RegisterBytes { get; init; }

    /// <summary>About how many registers of 32 bits a thread needs: those that are alive at once.</summary>
    public required int LiveRegisters { get; init; }

    public required ConstantRow[] Constants { get; init; }

    public required VariableRow[] Variables { get; init; }

    public required SpecialRow[] Specials { get; init; }

    public required ParameterSlot[] Parameters { get; init; }

    public required int ParameterBytes { get; init; }

    /// <summary>Shared memory that the kernel declares; dynamic shared memory begins here.</summary>
    public required int StaticShared { get; init; }

    /// <summary>Local memory of a thread.</summary>
    public required int LocalBytes { get; init; }

    public required int MaxThreads { get; init; }

    /// <summary>Blocks of a cluster, where the kernel demands them.</summary>
    public required Dim3? Cluster { get; init; }

    /// <summary>Registers that a thread begins with, where <c>setmaxnreg</c> needs to know; 0 if the kernel does not say.</summary>
    public required int EntryRegisters { get; init; }

    /// <summary>Virtual registers of a kernel with products of warpgroups; 0 of one without.</summary>
    public required int ProductRegisters { get; init; }

    /// <summary>Whether it has bulk copies from shared to global memory.</summary>
    public bool HasBulkStores { get; } = Array.Exists(code, i => i.Source.Modifiers.Contains("bulk_group"));

    /// <summary>Whether it has <c>griddepcontrol</c>, which matters where launches may begin early.</summary>
    public bool UsesGridDependency { get; } = Array.Exists(code, i => i.Source.Name == "griddepcontrol");

    /// <summary>Whether anything but its threads accesses its shared memory: products, bulk copies.</summary>
    public required bool IsAsynchronous { get; init; }

    /// <summary>
    /// Bytes of shared memory that the race check keeps apart, as a power of two: those of the narrowest access, at most four.
    /// </summary>
    public required int CellShift { get; init; }
}
