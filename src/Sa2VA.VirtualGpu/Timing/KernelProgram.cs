using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Lowering;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Timing;

/// <summary>
/// A kernel as an assembler would schedule it: within a basic block, what others wait for longest comes first. Nothing moves over a
/// barrier, a wait for copies or, where either is a store, over another access to the same memory.
/// </summary>
internal sealed class KernelProgram
{
    private static readonly ConditionalWeakTable<LoweredKernel, ConcurrentDictionary<CardRates, KernelProgram>> Known = [];

    private readonly int[]?[] orders;

    private KernelProgram(Instruction[] code, CardRates card)
    {
        var costs = new InstructionCosts(card);
        Operations = [.. code.Select(costs.Of)];
        Registers = 1 + Operations.SelectMany(o => o.Reads.Concat(o.Writes)).DefaultIfEmpty(0).Max();
        orders = new int[code.Length][];
        for (int first = 0; first < code.Length;)
        {
            int end = first + 1;
            while (end < code.Length && !code[end].StartsBlock) end++;
            orders[first] = Order(code, first, end);
            first = end;
        }
    }

    /// <summary>The program of a kernel for a card, made when it is first asked for.</summary>
    public static KernelProgram Of(LoweredKernel kernel, CardRates card) =>
        Known.GetOrCreateValue(kernel).GetOrAdd(card, c => new(kernel.Code, c));

    /// <summary>By instruction.</summary>
    public MicroOperation[] Operations { get; }

    public int Registers { get; }

    /// <summary>The instructions of the basic block that begins there, in the order in which they are issued.</summary>
    public int[] OrderOf(int first) => orders[first] ?? throw new InvalidOperationException("No basic block begins there.");

    private int[] Order(Instruction[] code, int first, int end)
    {
        int count = end - first;
        List<int>[] after = [.. Enumerable.Range(0, count).Select(_ => new List<int>())];
        var before = new int[count];
        Depend(code, first, end, (from, to) =>
        {
            after[from].Add(to);
            before[to]++;
        });
        // Clocks from the issue of each to the end of all that depends on it.
        var height = new double[count];
        for (int n = count - 1; n >= 0; n--)
        {
            MicroOperation o = Operations[first + n];
            height[n] = o.Latency + after[n].Select(m => height[m]).DefaultIfEmpty(0).Max();
        }
        var ready = new double[count];
        var unitFree = new double[Enum.GetValues<Unit>().Length];
        List<int> open = [.. Enumerable.Range(0, count).Where(n => before[n] == 0)];
        var order = new int[count];
        double now = 0;
        for (int placed = 0; placed < count; placed++)
        {
            int best = -1;
            double bestAt = 0;
            foreach (int n in open)
            {
                double at = Math.Max(now, Math.Max(ready[n], unitFree[(int)Operations[first + n].Unit]));
                if (best < 0 || at < bestAt || at == bestAt && (height[n] > height[best] || height[n] == height[best] && n < best))
                    (best, bestAt) = (n, at);
            }
            open.Remove(best);
            MicroOperation o = Operations[first + best];
            order[placed] = first + best;
            now = bestAt + o.Slots;
            if (o.Unit != Unit.None) unitFree[(int)o.Unit] = bestAt + o.Busy;
            foreach (int n in after[best])
            {
                ready[n] = Math.Max(ready[n], bestAt + o.Latency);
                if (--before[n] == 0) open.Add(n);
            }
        }
        return order;
    }

    private void Depend(Instruction[] code, int first, int end, Action<int, int> edge)
    {
        var writer = new Dictionary<int, int>();
        var readers = new Dictionary<int, List<int>>();
        var stores = new Dictionary<StateSpace, int>();
        var accesses = new Dictionary<StateSpace, List<int>>();
        int fence = -1;
        for (int n = 0; n < end - first; n++)
        {
            MicroOperation o = Operations[first + n];
            var from = new HashSet<int>();
            if (fence >= 0) from.Add(fence);
            foreach (int r in o.Reads)
            {
                if (writer.TryGetValue(r, out int w)) from.Add(w);
                if (!readers.TryGetValue(r, out List<int>? list)) readers[r] = list = [];
                list.Add(n);
            }
            foreach (int r in o.Writes)
            {
                if (writer.TryGetValue(r, out int w)) from.Add(w);
                if (readers.Remove(r, out List<int>? list)) from.UnionWith(list);
                writer[r] = n;
            }
            if (o.IsMemory)
            {
                StateSpace space = o.Kind == OperationKind.Copy ? StateSpace.Global : code[first + n].Space;
                bool store = o.Kind == OperationKind.Store;
                if (stores.TryGetValue(space, out int s)) from.Add(s);
                if (!accesses.TryGetValue(space, out List<int>? all)) accesses[space] = all = [];
                if (store)
                {
                    from.UnionWith(all);
                    all.Clear();
                    stores[space] = n;
                }
                else all.Add(n);
            }
            if (o.Kind is not OperationKind.Plain && !o.IsMemory)
            {
                from.UnionWith(Enumerable.Range(fence + 1, n - fence - 1));
                fence = n;
            }
            from.Remove(n);
            foreach (int f in from) edge(f, n);
        }
    }
}
