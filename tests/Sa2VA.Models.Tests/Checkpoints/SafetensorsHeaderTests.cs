using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Tests;
using static Sa2VA.Models.Tests.SafetensorsBytes;

namespace Sa2VA.Models.Tests;

/// <summary>One test per check of the format's reference reader.</summary>
public sealed class SafetensorsHeaderTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_sound_file_gives_its_tensors_in_file_order_and_its_metadata()
    {
        string path = Write(File("{\"__metadata__\":{\"format\":\"pt\"}," + Entry("b", "F32", "[2]", 4, 12) + ","
            + Entry("a", "BF16", "[1,2]", 0, 4) + "}  ", 12));
        using var file = new SafetensorsFile(path);
        Assert.Equal(["a", "b"], file.Entries.Select(e => e.Name));
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.True(file.TryDescribe("a", out WeightInfo info));
        Assert.Equal(new WeightInfo("a", DType.BF16, new Shape(1, 2)), info);
        Assert.False(file.TryDescribe("c", out _));
        Assert.Contains("'c'", Assert.Throws<CheckpointException>(() => file.Open("c")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_tensors_is_sound() => ReadAll(Write(File("{}", 0)));

    [Fact]
    public void Null_metadata_is_sound() => ReadAll(Write(File("{\"__metadata__\":null}", 0)));

    [Fact]
    public void Tensors_without_elements_are_listed_and_not_opened() =>
        ReadAll(Write(File("{" + Entry("a", "F32", "[0,5]", 0, 0) + "," + Entry("b", "U8", "[1]", 0, 1) + "}", 1)));

    [Theory]
    [InlineData(0, "is empty")]
    [InlineData(7, "too few")]
    public void A_file_shorter_than_its_length_field(int length, string why) => Refused(new byte[length], why);

    [Fact]
    public void A_header_longer_than_the_cap() => Refused([.. BitConverter.GetBytes(100_000_001L), .. new byte[64]], "100000001");

    [Fact]
    public void A_header_length_with_the_top_bit_set() =>
        Refused([.. BitConverter.GetBytes(ulong.MaxValue), .. new byte[64]], "18446744073709551615");

    [Fact]
    public void A_header_longer_than_the_file_costs_no_memory()
    {
        byte[] bytes = [.. BitConverter.GetBytes(100_000_000L), .. "{}"u8];
        Refused(bytes, "cut off");
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused(bytes, "cut off");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void An_empty_header() => Refused(File("", 4), "begins with zeros");

    [Fact]
    public void Invalid_utf8() => Refused(File([.. "{\"a"u8, 0xC3, 0x28, .. "\":{}}"u8], 0), "UTF-8");

    [Fact]
    public void Half_a_surrogate_pair() => Refused(File("{\"\\ud800\":{}}", 0), "JSON");

    [Theory]
    [InlineData("{\"a\":")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}")]
    [InlineData("{nonsense}")]
    [InlineData("{} {}")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",}}")]
    public void No_json(string header) => Refused(File(header, 0), "JSON");

    [Theory]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("3")]
    [InlineData(" {}")]
    public void No_object(string header) => Refused(File(header, 0), "no JSON object");

    [Theory]
    [InlineData("{\"a\":[]}")]
    [InlineData("{\"a\":null}")]
    public void A_tensor_that_is_no_object(string header) => Refused(File(header, 0), "'a'");

    [Fact]
    public void A_header_nested_without_end() => Refused(File("{\"a\":" + new string('[', 100_000), 0), "");

    [Fact]
    public void A_name_twice() =>
        Refused(File("{" + Entry("a", "U8", "[1]", 0, 1) + "," + Entry("a", "U8", "[1]", 1, 2) + "}", 2), "'a' is listed twice");

    [Fact]
    public void A_name_twice_once_escaped() =>
        Refused(File("{" + Entry("a", "U8", "[1]", 0, 1) + "," + Entry("\\u0061", "U8", "[1]", 1, 2) + "}", 2), "'a' is listed twice");

    [Fact]
    public void Metadata_twice() => Refused(File("{\"__metadata__\":{},\"__metadata__\":{}}", 0), "twice");

    [Theory]
    [InlineData("{\"__metadata__\":{\"a\":1}}")]
    [InlineData("{\"__metadata__\":{\"a\":null}}")]
    [InlineData("{\"__metadata__\":{\"a\":{}}}")]
    [InlineData("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}")]
    public void Metadata_that_are_no_strings(string header) => Refused(File(header, 0), "metadata 'a'");

    [Fact]
    public void Metadata_that_are_no_object() => Refused(File("{\"__metadata__\":[]}", 0), "__metadata__");

    [Theory]
    [InlineData("F17")]
    [InlineData("bf16")]
    [InlineData("")]
    public void An_unknown_type(string type) => Refused(File("{" + Entry("a", type, "[1]", 0, 2) + "}", 2), $"unknown type '{type}'");

    [Theory]
    [InlineData("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}")]
    [InlineData("{\"a\":{}}")]
    public void A_missing_field(string header) => Refused(File(header, 1), "'a' lacks");

    [Theory]
    [InlineData("{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", "dtype")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":1,\"data_offsets\":[0,1]}}", "shape")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":{}}}", "data_offsets")]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", "shape")]
    public void A_field_of_another_kind_or_twice(string header, string field) => Refused(File(header, 1), field);

    [Theory]
    [InlineData("[-1]")]
    [InlineData("[1.5]")]
    [InlineData("[1e0]")]
    [InlineData("[18446744073709551616]")]
    [InlineData("[\"1\"]")]
    [InlineData("[[1]]")]
    [InlineData("[null]")]
    public void An_extent_that_is_no_whole_number(string shape) =>
        Refused(File("{" + Entry("a", "U8", shape, 0, 1) + "}", 1), "shape of tensor 'a'");

    [Theory]
    [InlineData("[4294967296,4294967296]")]
    [InlineData("[9223372036854775807,2]")]
    [InlineData("[3037000500,3037000500]")]
    public void A_shape_whose_size_overflows(string shape) =>
        Refused(File("{" + Entry("a", "F32", shape, 0, 4) + "}", 4), "impossible shape");

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, -1)]
    public void A_negative_offset(long begin, long end) =>
        Refused(File("{" + Entry("a", "U8", "[1]", begin, end) + "}", 1), "data_offsets");

    [Fact]
    public void Offsets_that_do_not_fit_the_shape() => Refused(File("{" + Entry("a", "F32", "[2]", 0, 4) + "}", 4), "needs 8 bytes");

    [Fact]
    public void An_end_before_the_begin() => Refused(File("{" + Entry("a", "U8", "[1]", 1, 0) + "}", 1), "1 to 0");

    [Fact]
    public void Offsets_that_overlap() =>
        Refused(File("{" + Entry("a", "U8", "[4]", 0, 4) + "," + Entry("b", "U8", "[4]", 2, 6) + "}", 6), "inside");

    [Fact]
    public void Offsets_that_leave_a_hole() =>
        Refused(File("{" + Entry("a", "U8", "[2]", 0, 2) + "," + Entry("b", "U8", "[2]", 4, 6) + "}", 6), "hole");

    [Fact]
    public void Offsets_that_do_not_begin_at_zero() => Refused(File("{" + Entry("a", "U8", "[2]", 2, 4) + "}", 4), "hole");

    [Fact]
    public void Offsets_that_do_not_cover_the_file() => Refused(File("{" + Entry("a", "U8", "[2]", 0, 2) + "}", 3), "lists 2 bytes");

    [Fact]
    public void Offsets_beyond_the_file() => Refused(File("{" + Entry("a", "U8", "[2]", 0, 2) + "}", 1), "cut off");

    [Fact]
    public void A_missing_file() => Assert.Contains("is missing",
        Assert.Throws<CheckpointException>(() => new SafetensorsFile(_folder.At("none"))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_folder_in_place_of_a_file() => Assert.Contains("cannot be read",
        Assert.Throws<CheckpointException>(() => new SafetensorsFile(_folder.Path)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[", "0,", "0],\"data_offsets\":[0,0]}}", true)]
    [InlineData("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[", "0,", "0]}}", false)]
    [InlineData("{\"__metadata__\":{", "\"#\":\"\",", "\"\":\"\"}}", true)]
    [InlineData("{", "\"#\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},",
        "\"\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", true)]
    [InlineData("{\"", "a", "\":{\"dtype\":\"U8\"}}", false)]
    public void A_header_that_repeats_one_thing_is_no_bomb(string head, string item, string tail, bool usable)
    {
        string header = head + string.Concat(Enumerable.Range(0, 20_000)
            .Select(i => item.Replace("#", i.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal))) + tail;
        byte[] bytes = File(header, tail.Contains("0,1", StringComparison.Ordinal) ? 1 : 0);
        string path = Write(bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        if (usable) new SafetensorsFile(path).Dispose();
        else Assert.Throws<CheckpointException>(() => new SafetensorsFile(path));
        // Strings are two bytes per character, and an entry of some fifty characters becomes an object, lists and a slot of two tables.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (64 << 10) + 32L * bytes.Length);
    }

    private string Write(byte[] bytes)
    {
        string path = _folder.At("m.safetensors");
        System.IO.File.WriteAllBytes(path, bytes);
        return path;
    }

    private void Refused(byte[] bytes, string why)
    {
        string path = Write(bytes);
        var error = Assert.Throws<CheckpointException>(() => ReadAll(path));
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }
}
