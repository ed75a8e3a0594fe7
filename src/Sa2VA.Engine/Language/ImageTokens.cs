using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>The rows that stand for a session's picture in its prompts: encoded when a prompt first needs them.</summary>
/// <param name="tower">What encodes them.</param>
/// <param name="grids">Tokens of each tile.</param>
/// <param name="cut">Gives the tiles.</param>
internal sealed class ImageTokens(VisionTower tower, IReadOnlyList<TokenGrid> grids, Func<IReadOnlyList<RgbImage>> cut) : IDisposable
{
    private static long s_count;

    private IReadOnlyList<RgbImage>? _tiles;
    private DeviceBuffer[]? _rows;
    private ImageKey? _key;

    /// <summary>Tells it from all others of the process.</summary>
    public long Id { get; } = Interlocked.Increment(ref s_count);

    /// <summary>Tokens of each tile.</summary>
    public IReadOnlyList<TokenGrid> Grids => grids;

    /// <summary>
    /// [rows of all tiles, H]: those that a prompt holds, then those that are added behind layers, if there are any; null until they are
    /// encoded.
    /// </summary>
    public IReadOnlyList<DeviceBuffer>? Rows => _rows;

    /// <summary>The picture's digest.</summary>
    public ImageKey Key => _key ??= ImageKey.Of(Cut());

    /// <summary>Encodes the tiles, the first time.</summary>
    /// <param name="progress">Told how many tiles are done.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public async Task EncodeAsync(Action<int>? progress, CancellationToken cancellation)
    {
        if (_rows is not null) return;
        DeviceBuffer[] rows = tower.AllocateTokens(grids.Sum(g => g.Count));
        try
        {
            await tower.EncodeAsync(Cut(), rows, progress, cancellation).ConfigureAwait(false);
        }
        catch
        {
            foreach (DeviceBuffer buffer in rows) buffer.Dispose();
            throw;
        }
        (_rows, _tiles) = (rows, null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _rows ?? []) buffer.Dispose();
    }

    private IReadOnlyList<RgbImage> Cut() => _tiles ??= cut();
}
