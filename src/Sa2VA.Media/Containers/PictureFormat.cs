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
