using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>A module ready to run: its kernels by name, and its variables, to which each device gives addresses.</summary>
internal sealed class LoweredModule
{
    private const int MostCached = 256;
    private const long MostCachedText = 64 << 20;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, LinkedListNode<LoweredModule>> Cache = [];

    /// <summary>Used last first.</summary>
    private static readonly LinkedList<LoweredModule> Order = [];
    private static long cachedText;

    private LoweredModule(string text, PtxModule module)
    {
        Text = text;
        Module = module;
        Kernels = module.Kernels.ToDictionary(k => k.Name, k => KernelLowering.Lower(module, k));
    }

    private string Text { get; }

    private PtxModule Module { get; }

    public Dictionary<string, LoweredKernel> Kernels { get; }

    /// <summary>Version of PTX, as 8.4.</summary>
    public Version Version => Module.Version;

    /// <summary>The first driver that knows that version: 12040 for 8.4.</summary>
    public int LeastDriver => (Module.Version.Major + 4) * 1000 + Module.Version.Minor * 10;

    /// <summary>Variables by number; those in shared memory belong to the kernels.</summary>
    public IReadOnlyList<PtxVariable> Variables => Module.Variables;

    /// <summary>Parses and lowers a module, or finds it among those that were loaded before in this process.</summary>
    /// <param name="ptx">The module's text.</param>
    /// <param name="capability">Compute capability times ten of the device.</param>
    /// <exception cref="PtxException">The text is malformed, holds what is not supported, or is for other devices.</exception>
    public static LoweredModule Load(string ptx, int capability)
    {
        lock (Gate)
        {
            if (Cache.TryGetValue(ptx, out var known))
            {
                CheckTarget(known.Value.Module, capability);
                Order.Remove(known);
                Order.AddFirst(known);
                return known.Value;
            }
        }
        PtxModule module = PtxParser.Parse(ptx);
        CheckTarget(module, capability);
        var lowered = new LoweredModule(ptx, module);
        lock (Gate)
        {
            if (Cache.ContainsKey(ptx)) return lowered;
            Cache[ptx] = Order.AddFirst(lowered);
            cachedText += ptx.Length;
            while (Cache.Count > MostCached || cachedText > MostCachedText)
            {
                string oldest = Order.Last!.Value.Text;
                Order.RemoveLast();
                Cache.Remove(oldest);
                cachedText -= oldest.Length;
            }
        }
        return lowered;
    }

    /// <summary>Takes memory for the global and constant variables.</summary>
    /// <returns>Their addresses by number; 0 for those in shared memory.</returns>
    public unsafe ulong[] PlaceVariables(DeviceMemory memory)
    {
        var places = new ulong[Variables.Count];
        for (int n = 0; n < places.Length; n++)
        {
            PtxVariable v = Variables[n];
            if (v.Space == StateSpace.Shared) continue;
            Allocation a = memory.Allocate(v.Bytes, v.Name);
            a.ReadOnly = v.Space == StateSpace.Const;
            // Variables without a first value are zero.
            memory.Fill(a.Address, 0, (ulong)v.Bytes);
            fixed (byte* initial = v.Initial)
                if (initial != null) memory.Write(a.Address, initial, (ulong)v.Bytes);
            places[n] = a.Address;
        }
        return places;
    }

    private static void CheckTarget(PtxModule module, int capability)
    {
        if (module.TargetIsExact ? module.Target == capability : module.Target <= capability) return;
        string suffix = module.TargetIsExact ? "a" : "";
        throw new PtxException($"the module is for sm_{module.Target}{suffix}, this device is an sm_{capability}", 1)
        {
            IsForOtherDevice = true,
        };
    }
}
