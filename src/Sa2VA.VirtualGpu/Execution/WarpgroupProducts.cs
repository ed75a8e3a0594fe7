using System.Runtime.CompilerServices;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// wgmma: products of a warpgroup, of which each of its four warps computes 16 rows. They are computed between their issue and the wait for
/// their group, as the seed says. A group has ended when all four warps have issued it and one waits for it.
/// </summary>
/// <remarks>
/// Rows are the sums, four for each eight columns, and behind them the four of the left operand if that is in registers; A and B are the
/// descriptors, C the predicate that says whether to add, Width the columns.
/// </remarks>
[SkipLocalsInit]
internal static unsafe class WarpgroupProducts
{
    public const int Float16 = 1, NegateLeft = 2, NegateRight = 4, TransposeLeft = 8, TransposeRight = 16;

    /// <summary>Rows of a warp, and terms of a product.</summary>
    private const int M = 16, K = 16;

    public static void Issue(Warp w, Instruction i, uint mask)
    {
        if (!MatrixFunctions.Whole(w, i, mask)) return;
        int sums = i.Width / 2;
        ulong left = i.A < 0 ? 0 : Uniform(w, i, i.A), right = Uniform(w, i, i.B);
        bool adds = Same(w, i);
        if (new MatrixDescriptor(left).HasBaseOffset || new MatrixDescriptor(right).HasBaseOffset)
            throw w.Fault(FaultKind.Illegal, i, "a matrix descriptor with a base offset is not supported");
        if (w.Id / 4 * 4 + 4 > w.Block.Warps.Length)
            throw w.Fault(FaultKind.DivergentCollective, i, "a product needs four warps, of which the last are not there");
        ProductQueue queue = w.Products!;
        queue.Registers?.Issue(w, i, queue.Committed);
        uint[]? fragment = null;
        if (i.A < 0)
        {
            fragment = new uint[4 * 32];
            for (int q = 0; q < 4; q++) new ReadOnlySpan<uint>(w.Rows + i.Rows[sums + q], 32).CopyTo(fragment.AsSpan(32 * q));
        }
        var product = new PendingProduct(i, left, right, adds, fragment, queue.Committed);
        Visit(w, product);
        queue.Pending.Enqueue(product);
        if (w.Block.Random.Next(2) == 0) Compute(w, queue.Committed + 1);
    }

    public static void Fence(Warp w, Instruction i, uint mask)
    {
        if (MatrixFunctions.Whole(w, i, mask)) w.Products?.Registers?.Fence();
    }

    public static void Commit(Warp w, Instruction i, uint mask)
    {
        if (!MatrixFunctions.Whole(w, i, mask)) return;
        if (w.Products is not { } queue) return;
        queue.Committed++;
        foreach (Warp other in Group(w)) other.Resume(WarpState.AtProducts);
    }

    /// <summary>All but the last Offset groups have ended when the warp goes on.</summary>
    public static void Wait(Warp w, Instruction i, uint mask)
    {
        if (!MatrixFunctions.Whole(w, i, mask)) return;
        if (w.Products is not { } queue) return;
        long until = queue.Committed - i.Offset;
        if (until <= 0) return;
        foreach (Warp other in Group(w))
        {
            if (other.Products!.Committed >= until) continue;
            w.Retry(i, mask, WarpState.AtProducts);
            return;
        }
        foreach (Warp other in Group(w))
        {
            Compute(other, until);
            w.Block.Shadow?.EndProducts(w.Actor, other.Actor, until);
        }
        queue.Registers?.Wait(until);
    }

    private static ReadOnlySpan<Warp> Group(Warp w)
    {
        ReadOnlySpan<Warp> all = w.Block.Warps;
        int first = w.Id / 4 * 4;
        return all[first..Math.Min(first + 4, all.Length)];
    }

    private static ulong Uniform(Warp w, Instruction i, int row)
    {
        var lanes = new ReadOnlySpan<ulong>(w.Rows + row, 32);
        if (lanes.ContainsAnyExcept(lanes[0]))
            throw w.Fault(FaultKind.DivergentCollective, i, "lanes give different matrix descriptors to a product");
        return lanes[0];
    }

    private static bool Same(Warp w, Instruction i) => *(uint*)(w.Rows + i.C) switch
    {
        0 => false,
        ~0u => true,
        _ => throw w.Fault(FaultKind.DivergentCollective, i, "lanes differ in whether a product adds to its sums"),
    };

    /// <summary>Checks the bounds of all that the warp's share reads, tells the shadow of it, and counts it.</summary>
    private static void Visit(Warp w, PendingProduct product)
    {
        Instruction i = product.Issued;
        if (i.A >= 0) Pieces(w, product, product.Left, (i.Mode & TransposeLeft) != 0, 16 * (w.Id & 3), M);
        Pieces(w, product, product.Right, (i.Mode & TransposeRight) != 0, 0, i.Width);
        if (!w.Block.CountsMemory) return;
        w.Block.Counts.SharedRequests[i.Index]++;
        w.Block.Counts.SharedWavefronts[i.Index] += (Bytes(i) + 127) / 128;
    }

    /// <summary>Bytes of shared memory that a warp's share takes: its rows, and a quarter of what the warps share.</summary>
    public static int Bytes(Instruction i) => (i.A < 0 ? 0 : M * K * 2) + i.Width * K * 2 / 4;

    private static void Pieces(Warp w, PendingProduct product, ulong descriptor, bool transposed, int first, int rows)
    {
        var d = new MatrixDescriptor(descriptor);
        if (w.Block.Shadow is null && d.EndsBefore(first + rows, transposed, w.Block.SharedBytes)) return;
        for (int n = 0; n < 2 * rows; n++)
        {
            uint at = transposed ? d.ColumnPiece((first + n / 16 * 8) / 8, n % 16) : d.RowPiece(first + n / 2, n % 2);
            if (at + 16 > (uint)w.Block.SharedBytes)
                throw w.Fault(FaultKind.OutOfBounds, product.Issued,
                    $"the product's descriptor reaches 0x{at:x}, outside the block's shared memory of {w.Block.SharedBytes} bytes");
            w.Block.Shadow?.ReadByProduct(w, product.Issued, product.Group, (int)at);
        }
    }

    /// <summary>Computes what a warp has issued of the groups before that one.</summary>
    private static void Compute(Warp w, long group)
    {
        Queue<PendingProduct> pending = w.Products!.Pending;
        while (pending.TryPeek(out PendingProduct? product) && product.Group < group) Compute(w, pending.Dequeue());
    }

    private static void Compute(Warp w, PendingProduct product)
    {
        Instruction i = product.Issued;
        float* a = stackalloc float[M * K], powers = stackalloc float[M * K], b = stackalloc float[K * 8], d = stackalloc float[M * 8];
        bool half = (i.Mode & Float16) != 0, isTransposed = (i.Mode & TransposeRight) != 0;
        if (product.Fragment is not null)
            fixed (uint* fragment = product.Fragment)
            {
                for (int q = 0; q < 4; q++) MatrixFunctions.UnpackLeft((byte*)(fragment + 32 * q), half, a, q);
            }
        else Left(w, new(product.Left), (i.Mode & TransposeLeft) != 0, half, 16 * (w.Id & 3), a);
        if ((i.Mode & NegateLeft) != 0 != ((i.Mode & NegateRight) != 0))
            for (int n = 0; n < M * K; n++) a[n] = -a[n];
        bool exact = w.Block.ExactProducts;
        if (exact && !TensorCore.TryPowers(a, powers, M * K)) powers = null;
        var right = new MatrixDescriptor(product.Right);
        for (int column = 0; column < i.Width; column += 8)
        {
            Right(w, right, isTransposed, half, column, b);
            ReadOnlySpan<int> sums = i.Rows.AsSpan(column / 2, 4);
            if (product.Adds) MatrixFunctions.LoadSums(w, sums, d);
            else new Span<float>(d, M * 8).Clear();
            if (exact) TensorCore.Exact(a, powers, b, d, w.Block.ProductTerms);
            else TensorCore.Fast(a, b, d);
            MatrixFunctions.StoreSums(w, sums, d);
        }
    }

    /// <summary>16 rows of the left operand, 16 elements each.</summary>
    private static void Left(Warp w, MatrixDescriptor d, bool transposed, bool half, int first, float* to)
    {
        if (!transposed)
        {
            for (int row = 0; row < M; row++)
                for (int k = 0; k < K; k += 8)
                    MatrixFunctions.Widen(w.Block.Shared + d.RowPiece(first + row, k / 8), half, to + row * K + k);
            return;
        }
        float* eight = stackalloc float[8];
        for (int row = 0; row < M; row += 8)
            for (int k = 0; k < K; k++)
            {
                MatrixFunctions.Widen(w.Block.Shared + d.ColumnPiece((first + row) / 8, k), half, eight);
                for (int n = 0; n < 8; n++) to[(row + n) * K + k] = eight[n];
            }
    }

    /// <summary>Eight columns of the right operand: 16 rows of 8.</summary>
    private static void Right(Warp w, MatrixDescriptor d, bool transposed, bool half, int column, float* to)
    {
        byte* shared = w.Block.Shared;
        if (transposed)
        {
            for (int k = 0; k < K; k++) MatrixFunctions.Widen(shared + d.ColumnPiece(column / 8, k), half, to + 8 * k);
            return;
        }
        uint* pieces = stackalloc uint[16];
        d.EightRows(column, pieces);
        for (int part = 0; part < 16; part += 8)
            MatrixFunctions.Turn(shared + pieces[part], shared + pieces[part + 1], shared + pieces[part + 2], shared + pieces[part + 3],
                shared + pieces[part + 4], shared + pieces[part + 5], shared + pieces[part + 6], shared + pieces[part + 7], half,
                to + 8 * part);
    }
}
