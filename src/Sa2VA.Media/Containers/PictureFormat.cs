namespace Sa2VA.Media;

/// <summary>The formats that are read.</summary>
internal enum PictureFormat
{
    Png,
    Jpeg,
    WebP,
    Gif,
    Bmp,
}

/// <summary>Names of the formats for users.</summary>
internal static class PictureFormats
{
    public static string Words(this PictureFormat format) => format == PictureFormat.WebP ? "WebP" : format.ToString().ToUpperInvariant();
}
