using Iced.Intel;

namespace Sa2VA.Cpu;

/// <summary>The assembled <see cref="PairTile"/>s of a unit, ready to be called.</summary>
internal sealed unsafe class AssembledPairs : PairBlocks, IDisposable
{
    private readonly ExecutableMemory _memory;
    private readonly delegate* unmanaged[SuppressGCTransition]<ushort*, byte*, nint, float*, void>[] _blocks;
    private readonly delegate* unmanaged[SuppressGCTransition]<void>[] _settings;
    private readonly delegate* unmanaged[SuppressGCTransition]<void> _release;

    private AssembledPairs(PairUnit unit, ExecutableMemory memory, PairProgram program)
    {
        (Unit, _memory) = (unit, memory);
        _blocks = new delegate* unmanaged[SuppressGCTransition]<ushort*, byte*, nint, float*, void>[2 * 33];
        foreach ((PairTile tile, int offset) in program.Blocks)
            _blocks[PlaceOf(tile.Rows, tile.Adds)] =
                (delegate* unmanaged[SuppressGCTransition]<ushort*, byte*, nint, float*, void>)(memory.Start + offset);
        _settings = new delegate* unmanaged[SuppressGCTransition]<void>[program.Settings.Count];
        for (int i = 0; i < _settings.Length; i++)
            _settings[i] = (delegate* unmanaged[SuppressGCTransition]<void>)(memory.Start + program.Settings[i]);
        _release = (delegate* unmanaged[SuppressGCTransition]<void>)(memory.Start + program.Release);
    }

    public override PairUnit Unit { get; }

    /// <summary>Null where the processor lacks them or the system does not let a program make code or use tiles.</summary>
    public static AssembledPairs? TryAssemble(PairUnit unit)
    {
        if ((unit == PairUnit.Matrix ? PairSupport.WithoutMatrix : PairSupport.WithoutDot) is not null) return null;
        PairProgram program = PairProgram.Of(PairTile.Of(unit), Abi.Here);
        return ExecutableMemory.TryCreate(program.Code) is { } memory ? new AssembledPairs(unit, memory, program) : null;
    }

    public override void Begin(int rows)
    {
        if (_settings.Length > 0) _settings[Math.Min(rows, _settings.Length) - 1]();
    }

    public override void End()
    {
        if (_settings.Length > 0) _release();
    }

    public override void Run(int rows, ushort* a, byte* b, int steps, float* tile, bool add) =>
        _blocks[PlaceOf(rows, add)](a, b, steps, tile);

    public void Dispose() => _memory.Dispose();

    private static int PlaceOf(int rows, bool adds) => 2 * rows + (adds ? 1 : 0);
}

/// <summary>The code of a unit's blocks, which may lie anywhere, and where each begins.</summary>
/// <param name="Code">All of it.</param>
/// <param name="Blocks">The blocks.</param>
/// <param name="Settings">What sets tiles up for 1, 2, … 16 rows; of a unit without tiles none.</param>
/// <param name="Release">What gives tiles back.</param>
internal sealed record PairProgram(byte[] Code, IReadOnlyList<(PairTile Tile, int Offset)> Blocks, IReadOnlyList<int> Settings, int Release)
{
    /// <summary>Assembles blocks of one unit.</summary>
    public static PairProgram Of(IReadOnlyList<PairTile> tiles, Abi abi)
    {
        using var code = new MemoryStream();
        bool hasTiles = tiles[0].Unit == PairUnit.Matrix;
        List<(PairTile, int)> blocks = [.. tiles.Select(tile => (tile, Add(c =>
        {
            if (hasTiles) MatrixBlock.Assemble(c, tile, abi);
            else DotBlock.Assemble(c, tile, abi);
        })))];
        List<int> settings = [];
        if (hasTiles) settings.AddRange(Enumerable.Range(1, 16).Select(rows => Add(c => MatrixBlock.Configure(c, rows))));
        int release = hasTiles ? Add(MatrixBlock.Release) : 0;
        return new(code.ToArray(), blocks, settings, release);

        int Add(Action<Assembler> assemble)
        {
            while (code.Length % 64 != 0) code.WriteByte(0xcc);
            int offset = (int)code.Length;
            var c = new Assembler(64);
            assemble(c);
            c.Assemble(new StreamCodeWriter(code), (ulong)offset);
            return offset;
        }
    }
}
