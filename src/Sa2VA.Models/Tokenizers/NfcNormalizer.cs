using System.Buffers.Text;
using System.Text;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// Unicode normalisation form C from tables of its own, because <see cref="string.Normalize()"/> does nothing where the platform has no ICU
/// (InvariantGlobalization) and follows the platform's Unicode version elsewhere.
/// </summary>
internal static class NfcNormalizer
{
    private const int LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, SBase = 0xAC00, LCount = 19, VCount = 21, TCount = 28;

    // Everything below U+0300 is its own normal form and never changes what stands before it.
    private const char FirstActive = '\u0300';

    private static readonly Dictionary<int, byte> Classes = [];
    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<long, int> Compositions = [];

    static NfcNormalizer()
    {
        var table = new byte[Base64.GetMaxDecodedFromUtf8Length(NfcTables.Base64.Length)];
        Base64.DecodeFromUtf8(NfcTables.Base64, table, out _, out _);
        int at = 0, point = 0;
        for (int n = Next(); n > 0; n--)
        {
            point += Next();
            int run = Next(), combiningClass = Next();
            for (int end = point + run; point < end; point++) Classes[point] = (byte)combiningClass;
        }

        point = 0;
        var composites = new List<int>();
        for (int n = Next(); n > 0; n--)
        {
            point += Next();
            Decompositions[point] = [Next(), Next()];
            Compositions[Pair(Decompositions[point][0], Decompositions[point][1])] = point;
            composites.Add(point);
        }

        point = 0;
        for (int n = Next(); n > 0; n--)
        {
            point += Next();
            int[] parts = new int[Next()];
            for (int i = 0; i < parts.Length; i++) parts[i] = Next();
            Decompositions[point] = parts;
        }

        foreach (int composite in composites)
        {
            var parts = new List<int>(Decompositions[composite]);
            while (Decompositions.TryGetValue(parts[0], out int[]? inner))
            {
                parts.RemoveAt(0);
                parts.InsertRange(0, inner);
            }

            Decompositions[composite] = [.. parts];
        }

        int Next()
        {
            int value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte b = table[at++];
                value |= (b & 127) << shift;
                if (b < 128) return value;
            }
        }
    }

    /// <summary>
    /// The normal form C of <paramref name="text"/>, which must be valid UTF-16; time grows linearly (n log n in runs of marks).
    /// </summary>
    public static string Normalize(string text)
    {
        if (text.AsSpan().IndexOfAnyInRange(FirstActive, char.MaxValue) < 0) return text;
        var points = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes()) Decompose(rune.Value, points);
        SortMarks(points);
        Compose(points);
        var result = new StringBuilder(points.Count);
        Span<char> units = stackalloc char[2];
        foreach (int point in points) result.Append(units[..new Rune(point).EncodeToUtf16(units)]);
        return result.ToString();
    }

    private static void Decompose(int point, List<int> points)
    {
        int syllable = point - SBase;
        if ((uint)syllable < LCount * VCount * TCount)
        {
            points.Add(LBase + syllable / (VCount * TCount));
            points.Add(VBase + syllable % (VCount * TCount) / TCount);
            if (syllable % TCount != 0) points.Add(TBase + syllable % TCount);
        }
        else if (point >= 0xC0 && Decompositions.TryGetValue(point, out int[]? parts)) points.AddRange(parts);
        else points.Add(point);
    }

    private static void SortMarks(List<int> points)
    {
        var keys = new List<long>();
        for (int start = 0; start < points.Count; start++)
        {
            keys.Clear();
            for (int i = start; i < points.Count && ClassOf(points[i]) is var combiningClass and not 0; i++)
                keys.Add((long)combiningClass << 32 | (uint)(i - start));
            if (keys.Count < 2)
            {
                start += keys.Count;
                continue;
            }

            int[] run = points.GetRange(start, keys.Count).ToArray();
            keys.Sort();
            for (int i = 0; i < run.Length; i++) points[start + i] = run[(int)(keys[i] & uint.MaxValue)];
            start += run.Length;
        }
    }

    private static void Compose(List<int> points)
    {
        int starter = -1, kept = 0, previousClass = 0;
        for (int i = 0; i < points.Count; i++)
        {
            int point = points[i], combiningClass = ClassOf(point);
            bool blocked = starter < 0 || (kept - 1 != starter && previousClass >= combiningClass);
            if (!blocked && TryCompose(points[starter], point, out int composite))
            {
                points[starter] = composite;
                continue;
            }

            if (combiningClass == 0) starter = kept;
            previousClass = combiningClass;
            points[kept++] = point;
        }

        points.RemoveRange(kept, points.Count - kept);
    }

    private static bool TryCompose(int first, int second, out int composite)
    {
        int l = first - LBase, v = second - VBase, s = first - SBase, t = second - TBase;
        if ((uint)l < LCount && (uint)v < VCount)
        {
            composite = SBase + (l * VCount + v) * TCount;
            return true;
        }

        if ((uint)s < LCount * VCount * TCount && s % TCount == 0 && t is > 0 and < TCount)
        {
            composite = first + t;
            return true;
        }

        return Compositions.TryGetValue(Pair(first, second), out composite);
    }

    private static byte ClassOf(int point) => point < FirstActive ? (byte)0 : Classes.GetValueOrDefault(point);

    private static long Pair(int first, int second) => (long)first << 32 | (uint)second;
}
