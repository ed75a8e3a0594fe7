namespace Sa2VA.Media;

/// <summary>
/// Compares names by their characters, but runs of digits by their value. Names that differ in leading zeros alone compare by characters.
/// </summary>
internal sealed class NaturalOrder : IComparer<string?>
{
    public static NaturalOrder Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        ReadOnlySpan<char> a = x, b = y;
        while (!a.IsEmpty && !b.IsEmpty)
        {
            if (!char.IsAsciiDigit(a[0]) || !char.IsAsciiDigit(b[0]))
            {
                if (a[0] != b[0]) return a[0] - b[0];
                a = a[1..];
                b = b[1..];
                continue;
            }
            ReadOnlySpan<char> first = Digits(ref a), second = Digits(ref b);
            // Without leading zeros the longer number is the larger; numbers may have any length.
            int order = first.Length != second.Length ? first.Length - second.Length : first.SequenceCompareTo(second);
            if (order != 0) return order;
        }
        return a.Length != b.Length ? a.Length - b.Length : string.CompareOrdinal(x, y);
    }

    /// <summary>Takes the number in front and returns it without leading zeros.</summary>
    private static ReadOnlySpan<char> Digits(ref ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAnyExceptInRange('0', '9');
        ReadOnlySpan<char> digits = end < 0 ? text : text[..end];
        text = text[digits.Length..];
        return digits.TrimStart('0');
    }
}
