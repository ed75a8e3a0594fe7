using System.Runtime.InteropServices;
using Sa2VA.Tests;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Decode attention over pages, as shipped: pages of two chats lie in one pool, written by <c>write_rows</c>. Where a kernel's index into
/// the table of pages is off, it reads a neighbour's page, all of which is allocated and written: ownership alone tells.
/// </summary>
public sealed class NeighbourPageTests
{
    private const int HeadDim = 64, PageRows = 64, PagesEach = 2, Chats = 2, PoolRows = Chats * PagesEach * PageRows;
    private const int RowBytes = HeadDim * sizeof(ushort), PageBytes = PageRows * RowBytes;

    /// <summary>Where pages of a chat are in the table, and where a key's page is.</summary>
    private const string Row = "shl.b64 %rd87,%rd86,2;";

    /// <summary>Chat 0 has pages 3 and 0 of the pool, chat 1 has 1 and 2; behind them what the next step has, chat 0's again.</summary>
    private static readonly int[] Pages = [3, 0, 1, 2, 3, 0];

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public void Chats_that_read_their_own_pages_are_silent(int seed) => Attend(KernelFiles.Ptx("decode_attention_bf16"), seed);

    [Theory]
    // One entry on: the last page is another's first.
    [InlineData(Row + " add.s64 %rd87,%rd87,4;", 1)]
    [InlineData(Row + " add.s64 %rd87,%rd87,4;", 7)]
    // The row of the chat before.
    [InlineData("mov.u64 %rd87,0;", 1)]
    public void A_page_of_another_chat_is_found_with_who_wrote_it(string wrong, int seed)
    {
        string ptx = KernelFiles.Ptx("decode_attention_bf16");
        string planted = ptx.Replace(Row, wrong, StringComparison.Ordinal);
        Assert.NotEqual(ptx, planted);
        GpuFaultException fault = Assert.Throws<GpuFaultException>(() => Attend(planted, seed));
        Assert.Equal((FaultKind.Foreign, "decode_attention_bf16_64"), (fault.Kind, fault.Kernel));
        string line = planted.Split('\n')[fault.Line - 1];
        Assert.Contains("cp.async", line, StringComparison.Ordinal);
        Assert.Contains($"PTX line {fault.Line}", fault.Message, StringComparison.Ordinal);
        Assert.Matches(@"reads byte \d+ of (keys|values), which belongs to chat [01], while the block works for chat [01]; "
            + @"write_rows, PTX line \d+ \(st\.global[^)]*\), block \(\d+, 0, 0\), thread \d+, wrote there last", fault.Message);
    }

    private static void Attend(string ptx, int seed)
    {
        using var device = new VirtualDevice(new() { Seed = seed, CountMemory = false });
        var run = new Run { Numbers = device.Upload<int>(new int[4], "numbers"), Fault = device.Upload<int>(new int[8], "fault") };
        View keys = Rows(device.Allocate(PoolRows * RowBytes, "keys"), PoolRows),
            values = Rows(device.Allocate(PoolRows * RowBytes, "values"), PoolRows);
        for (int n = 0; n < Chats * PagesEach; n++)
            foreach (View pool in (View[])[keys, values])
                device.Give(pool.Data + (ulong)(Pages[n] * PageBytes), PageBytes, $"chat {n / PagesEach}");

        VirtualKernel write = device.LoadModule(KernelFiles.Ptx("write_rows"))["write_rows"];
        ulong all = device.Upload<int>([.. Enumerable.Range(0, PoolRows)], "index");
        View index = new() { Data = all, Rows = PoolRows, Length = -1, PerStep = 0, Type = I32 };
        View x = Rows(device.Upload<ushort>(PtxFiles.RandomBFloat16(1, PoolRows * HeadDim), "x"), PoolRows);
        foreach (View pool in (View[])[keys, values])
            device.Launch(write, new(PoolRows / 4), new(256), 0,
                [Bytes(new WriteRows { Run = run, X = x, Index = index, State = pool, RowShift = 6, Chunk = HeadDim })]);

        const int Partial = HeadDim + 2;
        var arguments = new Decode
        {
            Run = run, Q = Rows(device.Upload<ushort>(PtxFiles.RandomBFloat16(2, Chats * HeadDim), "queries"), Chats), K = keys, V = values,
            Y = default, Offsets = 0, RowsEach = 1, KeysEach = PagesEach * PageRows, Unused = 0,
            Lengths = device.Upload<int>([PagesEach * PageRows, PagesEach * PageRows], "lengths"),
            Pages = device.Upload<int>(Pages, "pages"),
            Count = Chats, PagesEach = PagesEach, PageShift = 6, Partials = device.Allocate(Chats * Partial * sizeof(float), "partials"),
            Heads = 1, Splits = 1, Width = HeadDim, Group = 1, HeadDim = HeadDim, Scale = 0.125f,
        };
        VirtualKernel kernel = device.LoadModule(ptx)["decode_attention_bf16_64"];
        device.Launch(kernel, new(1, 1, Chats), new(128), (16 + 2 * 128) * 144, [Bytes(arguments)], block => $"chat {block.Z}");
        var partials = new float[Chats * Partial];
        device.Read<float>(arguments.Partials, partials);
        Assert.All(partials, v => Assert.True(float.IsFinite(v)));

        static View Rows(ulong data, int rows) =>
            new() { Data = data, Rows = rows, Columns = HeadDim, Stride = HeadDim, Length = -1, PerStep = 0, Type = BF16 };
    }

    private static KernelArgument Bytes<T>(T arguments) where T : unmanaged =>
        new(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in arguments)));

    // As kernels/common has them: tensor.cuh, segments.cuh, attention_splits.cuh, and kernels/write_rows.cu.
    private const int BF16 = 2, I32 = 3;

    private struct Run
    {
        public ulong Numbers, Fault;
    }

    private struct View
    {
        public ulong Data;
        public int Rows, Columns, Stride, Length, PerStep, Type;
    }

    private struct WriteRows
    {
        public Run Run;
        public View X, Index, State;
        public int RowShift, Chunk;
    }

    private struct Decode
    {
        public Run Run;
        public View Q, K, V, Y;
        public ulong Lengths, Offsets, Pages;
        public int Count, PagesEach, PageShift, RowsEach, KeysEach;
        public ulong Partials;
        public int Heads, Splits, Width, Unused, Group, HeadDim;
        public float Scale;
    }
}
