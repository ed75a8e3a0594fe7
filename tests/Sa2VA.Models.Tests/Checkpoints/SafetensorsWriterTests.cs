using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

public sealed class SafetensorsWriterTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public unsafe void Every_type_comes_back_as_written()
    {
        WeightInfo[] tensors =
        [
            new("bytes", DType.U8, new Shape(3)), new("bools", DType.Bool, new Shape(5)), new("halves", DType.F16, new Shape(1, 3)),
                new("words", DType.BF16, new Shape(7)),
            new("floats \"é\" \\", DType.F32, new Shape(2, 3, 1, 2)), new("ints", DType.I32, new Shape(3)),
            new("longs", DType.I64, new Shape(2, 2)),
        ];
        string path = _folder.At("m.safetensors");
        Write(path, tensors, Pattern, new Dictionary<string, string> { ["über"] = "\"\n" });

        using var file = new SafetensorsFile(path);
        Assert.Equal("\"\n", file.Metadata["über"]);
        Assert.Equal(["longs", "floats \"é\" \\", "ints", "halves", "words", "bytes", "bools"], file.Entries.Select(e => e.Name));
        foreach (WeightInfo tensor in tensors)
        {
            Assert.True(file.TryDescribe(tensor.Name, out WeightInfo info));
            Assert.Equal(tensor, info);
            using WeightData data = file.Open(tensor.Name);
            Assert.Equal(0, (long)data.Pointer % tensor.Type.Size());
            byte[] expected = new byte[tensor.Bytes];
            Pattern(tensor, 0, expected);
            Assert.Equal(expected, new ReadOnlySpan<byte>(data.Pointer, expected.Length).ToArray());
        }
        Assert.Equal([path], Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void A_file_without_tensors_comes_back()
    {
        string path = _folder.At("m.safetensors");
        Write(path, [], Pattern);
        using var file = new SafetensorsFile(path);
        Assert.Empty(file.Entries);
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public unsafe void A_large_tensor_goes_through_in_blocks()
    {
        WeightInfo[] tensors = [new("large", DType.F32, new Shape(5003, 2001)), new("small", DType.BF16, new Shape(9))];
        var seen = new List<(string Name, long Start, int Bytes)>();
        var progress = new Reports();
        string path = _folder.At("m.safetensors");
        Write(path, tensors, (tensor, start, target) =>
        {
            seen.Add((tensor.Name, start, target.Length));
            Pattern(tensor, start, target);
        }, progress: progress);

        Assert.All(seen, s => Assert.InRange(s.Bytes, 1, 16 << 20));
        Assert.Equal(4, seen.Count);
        Assert.Equal(tensors.Sum(t => t.Bytes), progress.Values[^1]);
        Assert.Equal(progress.Values.Order(), progress.Values);
        using var file = new SafetensorsFile(path);
        using WeightData data = file.Open("large");
        byte[] expected = new byte[data.Info.Bytes];
        Pattern(data.Info, 0, expected);
        Assert.True(new ReadOnlySpan<byte>(data.Pointer, expected.Length).SequenceEqual(expected));
    }

    [Fact]
    public void A_failure_leaves_the_old_file_and_nothing_else()
    {
        string path = _folder.At("m.safetensors");
        File.WriteAllText(path, "old");
        Assert.Throws<InvalidDataException>(() =>
            Write(path, [new("a", DType.U8, new Shape(3))], (_, _, _) => throw new InvalidDataException()));
        Assert.Equal([path], Directory.EnumerateFiles(_folder.Path));
        Assert.Equal("old", File.ReadAllText(path));
    }

    [Fact]
    public void Cancelling_leaves_nothing()
    {
        using var source = new CancellationTokenSource();
        WeightInfo[] tensors = [new("a", DType.U8, new Shape(3)), new("b", DType.U8, new Shape(3))];
        Assert.Throws<OperationCanceledException>(() =>
            SafetensorsWriter.Write(_folder.At("m.safetensors"), tensors, (_, _, _) => source.Cancel(), cancellation: source.Token));
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void A_name_twice_is_refused_before_anything_is_written()
    {
        WeightInfo[] tensors = [new("a", DType.U8, new Shape(3)), new("a", DType.F32, new Shape(3))];
        Assert.Contains("'a'", Assert.Throws<CheckpointException>(() => Write(_folder.At("m"), tensors, Pattern)).Message,
            StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_folder.Path));
    }

    [Fact]
    public void A_folder_that_does_not_exist_is_named() => Assert.Contains("none",
        Assert.Throws<CheckpointException>(() => Write(Path.Combine(_folder.Path, "none", "m"), [], Pattern)).Message,
        StringComparison.Ordinal);

    private static void Write(string path, WeightInfo[] tensors, TensorFill fill, Dictionary<string, string>? metadata = null,
        IProgress<long>? progress = null) =>
        SafetensorsWriter.Write(path, tensors, fill, metadata, progress, TestContext.Current.CancellationToken);

    // Bytes that follow from the place in the tensor.
    private static void Pattern(WeightInfo tensor, long start, Span<byte> target)
    {
        long at = start * tensor.Type.Size();
        for (int i = 0; i < target.Length; i++) target[i] = (byte)((at + i) * 31 + ((at + i) >> 8) + tensor.Name.Length);
    }

    private sealed class Reports : IProgress<long>
    {
        public List<long> Values { get; } = [];

        public void Report(long value) => Values.Add(value);
    }
}
