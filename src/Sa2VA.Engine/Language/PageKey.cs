using System.Security.Cryptography;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>What a page holds, found by value: tokens behind those of another page, which is held as long as this one.</summary>
/// <param name="image">The picture that negative ids speak of; the default without such ids.</param>
/// <param name="before">The page before it; −1 for the first.</param>
/// <param name="tokens">Token ids.</param>
internal sealed class PageKey(ImageKey image, int before, int[] tokens) : IEquatable<PageKey>
{
    private readonly ImageKey _image = image;
    private readonly int _before = before;
    private readonly int[] _tokens = tokens;
    private readonly int _hash = Hash(image, before, tokens);

    public bool Equals(PageKey? other) => other is not null && _hash == other._hash && _before == other._before
        && _image == other._image && _tokens.AsSpan().SequenceEqual(other._tokens);

    public override bool Equals(object? other) => Equals(other as PageKey);

    public override int GetHashCode() => _hash;

    private static int Hash(ImageKey image, int before, int[] tokens)
    {
        var hash = new HashCode();
        hash.Add(image);
        hash.Add(before);
        foreach (int token in tokens) hash.Add(token);
        return hash.ToHashCode();
    }
}

/// <summary>
/// Which picture image tokens belong to: a digest of its pixels as the vision tower sees them. The default is no picture.
/// </summary>
internal readonly record struct ImageKey(UInt128 High, UInt128 Low)
{
    /// <summary>The digest of tiles.</summary>
    public static ImageKey Of(IReadOnlyList<RgbImage> tiles)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (RgbImage tile in tiles)
        {
            hash.AppendData(BitConverter.GetBytes(tile.Width));
            hash.AppendData(tile.Pixels);
        }
        return Of(hash);
    }

    /// <summary>The digest of all that was appended.</summary>
    public static ImageKey Of(IncrementalHash hash)
    {
        byte[] digest = hash.GetHashAndReset();
        return new ImageKey(BitConverter.ToUInt128(digest), BitConverter.ToUInt128(digest, 16));
    }

    /// <summary>Appends it to what a digest is made of.</summary>
    public void AppendTo(IncrementalHash hash)
    {
        hash.AppendData(BitConverter.GetBytes(High));
        hash.AppendData(BitConverter.GetBytes(Low));
    }
}
