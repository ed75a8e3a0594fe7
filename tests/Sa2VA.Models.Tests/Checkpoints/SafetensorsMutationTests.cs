using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Sa2VA.Core;

namespace Sa2VA.Models.Tests;

/// <summary>Ten thousand damaged files: each is read whole or refused with a message, in memory of the order of the file's size.</summary>
public partial class SafetensorsMutationTests
{
    // Strings are two bytes per character, and an entry of some fifty characters becomes an object, lists and a slot of two tables.
    private const long BytesPerByte = 32, FixedBytes = 64 << 10;

    private static readonly byte[] Sound = SafetensorsBytes.File(
        "{\"__metadata__\":{\"format\":\"pt\",\"é\":\"\\u00fc\"},"
        + string.Join(',', SafetensorsBytes.Entry("a.weight", "BF16", "[4, 6]", 0, 48), SafetensorsBytes.Entry("a.bias", "F32", "[4]", 48, 64),
            SafetensorsBytes.Entry("b", "I64", "[]", 64, 72), SafetensorsBytes.Entry("c", "F8_E4M3", "[3,1]", 72, 75), SafetensorsBytes.Entry("d", "F16", "[1,0,2]", 75, 75),
            SafetensorsBytes.Entry("e", "U8", "[1,2,3,4]", 75, 99), SafetensorsBytes.Entry("f", "BOOL", "[1,1,1,1,2]", 99, 101)) + "}   ", 101);

    private static readonly string[] Numbers =
        ["-1", "0", "1", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e9", "0.5", "-0", "1e999", "00", "null", "\"4\"", "[]"];

    [Fact]
    public void A_damaged_file_is_read_whole_or_refused_with_a_message()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("m.safetensors");
        File.WriteAllBytes(path, Sound);
        Assert.Equal(Enumerable.Range(0, 101).Where(i => i is < 72 or (> 74 and < 99)).Sum(i => (byte)(i * 7)), SafetensorsBytes.ReadAll(path));

        int usable = 0, refused = 0;
        Gen<Mutation> mutation = from kind in Gen.Choose(0, 8) from at in Gen.Choose(0, int.MaxValue - 1) from value in Gen.Choose(0, int.MaxValue - 1) select new Mutation(kind, at, value);
        Gen<Mutation[]> some = from count in Gen.Choose(1, 4) from list in Gen.ArrayOf(mutation, count) select list;
        Property property = Prop.ForAll(Arb.From(some), mutations =>
        {
            byte[] bytes = Sound;
            foreach (Mutation m in mutations) bytes = m.Apply(bytes);
            File.WriteAllBytes(path, bytes);
            string? message = Open(path, bytes.Length);
            if (message is null)
            {
                usable++;
                SafetensorsBytes.ReadAll(path);
            }
            else
            {
                refused++;
                Assert.Contains(path, message, StringComparison.Ordinal);
                Assert.True(message.Length > path.Length + 20, message);
            }
        });
        property.Check(Config.QuickThrowOnFailure.WithMaxTest(10_000).WithReplay(20_250_101, 7_919).WithQuietOnSuccess(true));

        // The mutations must reach both outcomes often, or the test says little.
        Assert.Equal(10_000, usable + refused);
        Assert.InRange(usable, 100, 9_900);
    }

    [Theory]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[", "0,", "0],\"data_offsets\":[0,0]}}", true)]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[", "0,", "0]}}", false)]
    [InlineData("{\"__metadata__\":{", "\"#\":\"\",", "\"\":\"\"}}", true)]
    [InlineData("{", "\"#\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", "\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", true)]
    [InlineData("{\"", "a", "\":{\"dtype\":\"U8\"}}", false)]
    public void A_header_that_repeats_one_thing_is_no_bomb(string head, string item, string tail, bool usable)
    {
        string header = head + string.Concat(Enumerable.Range(0, 20_000).Select(i => item.Replace("#", i.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal))) + tail;
        byte[] bytes = SafetensorsBytes.File(header, tail.Contains("0,1", StringComparison.Ordinal) ? 1 : 0);
        using var folder = new TemporaryFolder();
        string path = folder.File("m.safetensors");
        File.WriteAllBytes(path, bytes);
        Assert.Equal(usable, Open(path, bytes.Length) is null);
    }

    /// <summary>Opens the file, watching the memory; returns why it cannot be used.</summary>
    private static string? Open(string path, int length)
    {
        string? message = null;
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            new SafetensorsFile(path).Dispose();
        }
        catch (CheckpointException e)
        {
            message = e.Message;
        }
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated <= FixedBytes + BytesPerByte * length, $"{length} bytes of file, {allocated} bytes allocated.");
        return message;
    }

    /// <summary>One piece of damage; what it does follows from its numbers, so a failure shrinks and replays.</summary>
    private sealed record Mutation(int Kind, int At, int Value)
    {
        public byte[] Apply(byte[] file)
        {
            int header = HeaderLength(file);
            switch (Kind)
            {
                case 0 when file.Length > 0: // Flip bits, length field and data included.
                    file = [.. file];
                    file[At % file.Length] ^= (byte)(1 + Value % 255);
                    return file;
                case 1: // Insert a byte into the header and let the length field follow.
                    int i = 8 + At % (header + 1);
                    return file.Length < 8 ? file : WithHeader(file, [.. file[8..i], (byte)Value, .. file[i..(8 + header)]]);
                case 2 when header > 0: // Delete.
                    int d = 8 + At % header;
                    return WithHeader(file, [.. file[8..d], .. file[(d + 1)..(8 + header)]]);
                case 3: // Cut the file off.
                    return file[..(At % (file.Length + 1))];
                case 4: // Another length field.
                    if (file.Length < 8) return file;
                    file = [.. file];
                    BinaryPrimitives.WriteInt64LittleEndian(file, Value % 4 == 0 ? (long)Value << 33 : Value % 4 == 1 ? -At : Value % 4 == 2 ? At : At % file.Length);
                    return file;
                case 5: // Replace a number of the header.
                    return Replace(file, header, Number(), (m, _) => Numbers[Value % Numbers.Length]);
                case 6: // Swap a pair of offsets.
                    return Replace(file, header, Offsets(), (m, _) => $"\"data_offsets\":[{m.Groups[2].Value},{m.Groups[1].Value}]");
                case 7: // Rename a key to the first of its kind: duplicates.
                    return Replace(file, header, Key(), (m, text) => Key().Matches(text)[Value % Key().Count(text)].Value);
                case 8: // Shift a number a little.
                    return Replace(file, header, Number(), (m, _) => m.Value.Length > 9 ? "1" : (long.Parse(m.Value, CultureInfo.InvariantCulture) + Value % 5 - 2).ToString(CultureInfo.InvariantCulture));
                default:
                    return file;
            }
        }

        private byte[] Replace(byte[] file, int header, Regex what, Func<Match, string, string> with)
        {
            string text = Encoding.Latin1.GetString(file, Math.Min(8, file.Length), header);
            MatchCollection matches = what.Matches(text);
            if (matches.Count == 0) return file;
            Match m = matches[At % matches.Count];
            return WithHeader(file, Encoding.Latin1.GetBytes(text[..m.Index] + with(m, text) + text[(m.Index + m.Length)..]));
        }

        private static int HeaderLength(byte[] file) =>
            file.Length < 8 ? 0 : (int)Math.Clamp(BinaryPrimitives.ReadInt64LittleEndian(file), 0, file.Length - 8);

        private static byte[] WithHeader(byte[] file, byte[] header)
        {
            byte[] length = new byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            return [.. length, .. header, .. file[(8 + HeaderLength(file))..]];
        }
    }

    [GeneratedRegex(@"(?<=[\[,: ])-?\d+(?=[\],} ])")]
    private static partial Regex Number();

    [GeneratedRegex(@"""data_offsets"":\[(\d+),(\d+)\]")]
    private static partial Regex Offsets();

    [GeneratedRegex(@"""[^""]*"":")]
    private static partial Regex Key();
}
