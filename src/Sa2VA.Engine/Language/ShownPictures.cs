using System.Security.Cryptography;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>
/// The pictures of a conversation, in the order in which they were shown. Their rows count through: id −1 − j of a prompt is row j of all
/// of them, so what was said keeps its ids when another picture is shown.
/// </summary>
internal sealed class ShownPictures : IDisposable
{
    private readonly ImageTokens[] _pictures;
    private readonly int[] _firsts;

    /// <param name="pictures">Pictures; their holder from now on.</param>
    public ShownPictures(params ReadOnlySpan<ImageTokens> pictures)
    {
        _pictures = pictures.ToArray();
        _firsts = new int[_pictures.Length];
        for (int i = 1; i < _firsts.Length; i++) _firsts[i] = _firsts[i - 1] + _pictures[i - 1].RowCount;
        Grids = [.. _pictures.SelectMany(p => p.Grids)];
    }

    /// <summary>Pictures.</summary>
    public IReadOnlyList<ImageTokens> All => _pictures;

    /// <summary>The latest one; null without a picture.</summary>
    public ImageTokens? Latest => _pictures.Length == 0 ? null : _pictures[^1];

    /// <summary>The latest one's first row; 0 without a picture.</summary>
    public int LatestRow => _firsts.Length == 0 ? 0 : _firsts[^1];

    /// <summary>Tokens of each tile of all pictures.</summary>
    public IReadOnlyList<TokenGrid> Grids { get; }

    /// <summary>The same pictures for another conversation, and perhaps one more.</summary>
    /// <param name="next">Shown behind them; its holder is the result.</param>
    public ShownPictures And(ImageTokens? next)
    {
        ImageTokens[] shared = [.. _pictures.Select(p => p.Share())];
        return next is null ? new ShownPictures(shared) : new ShownPictures([.. shared, next]);
    }

    /// <summary>The picture that the first image token of some speaks of; null if there is none.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="first">The picture's first row.</param>
    public ImageTokens? Of(ReadOnlySpan<int> ids, out int first)
    {
        int at = ids.IndexOfAnyInRange(int.MinValue, -1);
        first = 0;
        if (at < 0) return null;
        int picture = IndexOf(ids[at]);
        first = _firsts[picture];
        return _pictures[picture];
    }

    /// <summary>How many of the first tokens speak of one picture at most: a run reads the rows of one.</summary>
    public int LengthOfOne(ReadOnlySpan<int> ids)
    {
        if (_pictures.Length < 2) return ids.Length;
        int picture = -1;
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= 0) continue;
            int next = IndexOf(ids[i]);
            if (picture >= 0 && next != picture) return i;
            picture = next;
        }
        return ids.Length;
    }

    /// <summary>Encodes the pictures that some tokens speak of, where that was not done yet.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="report">Gives whom to tell how many of so many tiles are done, parts of one included.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public async Task EncodeAsync(ReadOnlyMemory<int> ids, Func<int, Action<double>?> report, CancellationToken cancellation)
    {
        List<ImageTokens> needed = [.. _pictures.Where((p, i) => p.Rows is null && Speaks(ids.Span, i))];
        if (needed.Count == 0) return;
        Action<double>? progress = report(needed.Sum(p => p.Grids.Count));
        int before = 0;
        foreach (ImageTokens picture in needed)
        {
            int done = before;
            await picture.EncodeAsync(progress is null ? null : tiles => progress(done + tiles), cancellation).ConfigureAwait(false);
            before += picture.Grids.Count;
        }
    }

    /// <summary>What tells tokens from others that have the same ids, and ids that do not depend on which pictures came before.</summary>
    public (ImageKey Key, int[] Ids) KeyOf(ReadOnlySpan<int> ids)
    {
        int[] own = ids.ToArray();
        ImageKey key = default;
        IncrementalHash? several = null;
        int before = -1;
        for (int i = 0; i < own.Length; i++)
        {
            if (own[i] >= 0) continue;
            int picture = IndexOf(own[i]);
            own[i] += _firsts[picture];
            if (picture == before) continue;
            if (before < 0) key = _pictures[picture].Key;
            else
            {
                // Where one ends and the next begins.
                several ??= IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                key.AppendTo(several);
                several.AppendData(BitConverter.GetBytes(i));
                _pictures[picture].Key.AppendTo(several);
            }
            before = picture;
        }
        if (several is null) return (key, own);
        using (several) return (ImageKey.Of(several), own);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (ImageTokens picture in _pictures) picture.Dispose();
    }

    private bool Speaks(ReadOnlySpan<int> ids, int picture) =>
        ids.ContainsAnyInRange(-_firsts[picture] - _pictures[picture].RowCount, -1 - _firsts[picture]);

    private int IndexOf(int id)
    {
        int row = -1 - id, picture = _firsts.Length - 1;
        while (_firsts[picture] > row) picture--;
        return picture;
    }
}
