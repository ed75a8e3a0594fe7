using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// The rows that stand for a picture in prompts: encoded when a prompt first needs them, for all sessions that have the picture from one
/// another.
/// </summary>
/// <param name="tower">What encodes them.</param>
/// <param name="grids">Tokens of each tile.</param>
/// <param name="cut">Gives the tiles.</param>
internal sealed class ImageTokens(VisionTower tower, IReadOnlyList<TokenGrid> grids, Func<IReadOnlyList<RgbImage>> cut) : IDisposable
{
    private static long s_count;

    private readonly SemaphoreSlim _encoding = new(1);
    private IReadOnlyList<RgbImage>? _tiles;
    private DeviceBuffer[]? _rows;
    private ImageKey? _key;
    private int _holders = 1;

    /// <summary>The rows of tiles that are there already.</summary>
    public static ImageTokens Of(Sa2VAModel model, IReadOnlyList<RgbImage> tiles) =>
        new(model.VisionTower, [.. tiles.Select(t => model.Config.Family.GridOf(t, model.Config))], () => tiles);

    /// <summary>Tells it from all others of the process.</summary>
    public long Id { get; } = Interlocked.Increment(ref s_count);

    /// <summary>Tokens of each tile.</summary>
    public IReadOnlyList<TokenGrid> Grids => grids;

    /// <summary>Rows of all tiles.</summary>
    public int RowCount { get; } = grids.Sum(g => g.Count);

    /// <summary>
    /// [rows of all tiles, H]: those that a prompt holds, then those that are added behind layers, if there are any; null until they are
    /// encoded.
    /// </summary>
    public IReadOnlyList<DeviceBuffer>? Rows => Volatile.Read(ref _rows);

    /// <summary>The picture's digest.</summary>
    public ImageKey Key => _key ??= ImageKey.Of(Tiles);

    /// <summary>The tiles, cut again if need be.</summary>
    public IReadOnlyList<RgbImage> Tiles => _tiles ??= cut();

    /// <summary>Has one more holder; each disposes it once.</summary>
    public ImageTokens Share()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    /// <summary>Encodes the tiles, the first time.</summary>
    /// <param name="progress">Told how many tiles are done, parts of one included.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public async Task EncodeAsync(Action<double>? progress, CancellationToken cancellation)
    {
        await _encoding.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (_rows is not null) return;
            DeviceBuffer[] rows = tower.AllocateTokens(RowCount);
            try
            {
                await tower.EncodeAsync(Tiles, rows, progress, cancellation).ConfigureAwait(false);
            }
            catch
            {
                foreach (DeviceBuffer buffer in rows) buffer.Dispose();
                throw;
            }
            Volatile.Write(ref _rows, rows);
            _tiles = null;
        }
        finally
        {
            _encoding.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _holders) > 0) return;
        foreach (DeviceBuffer buffer in _rows ?? []) buffer.Dispose();
    }
}
