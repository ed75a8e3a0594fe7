using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>What is written of a checkpoint in few bits (docs/model/quantized.md), told once more by the definition.</summary>
public sealed class QuantizerTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static IEnumerable<TheoryDataRow<string, Precision, int>> Cases() =>
    [
        ("sa2va-tiny-shapes", Precision.Int8, 22), ("sa2va-tiny-shapes", Precision.Int4, 22), ("internvl-internlm2", Precision.Int4, 11),
        ("internvl-qwen2", Precision.Int8, 15),
    ];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Codes_stand_for_matrices_and_all_else_is_as_it_was(string name, Precision precision, int matrices)
    {
        // Blocks and files that end within a matrix's rows do not change what is written.
        string from = Fixtures.Model(name), to = _folder.At("new");
        QuantizationResult result = Quantizer.Write(from, to, precision, 200_000, null, Cancellation);
        using Checkpoint old = Checkpoint.Open(from), made = Checkpoint.Open(to);
        Assert.True(made.Files.Count > 2);
        Assert.Equal((matrices, old.Bytes, made.Bytes, 0), (result.Matrices, result.BytesBefore, result.BytesAfter, result.LeftOut));
        int found = 0;
        foreach (string tensor in old.Names)
        {
            if (((IWeightSource)made).OpenQuantized(tensor) is { } codes)
            {
                using (codes) CheckCodes(old, tensor, codes, precision);
                Assert.DoesNotContain(tensor, made.Names);
                found++;
            }
            else Assert.Equal(Bytes(old, tensor), Bytes(made, tensor));
        }
        Assert.Equal(matrices, found);
        Assert.Equal(old.Names.Count + found, made.Names.Count);
        TensorReport.Of(Sa2VAConfig.Read(to), made).ThrowUnlessUsable(to);
        Assert.Empty(TensorReport.Of(Sa2VAConfig.Read(to), made).Extra);
        Sa2VAConfig expected = Sa2VAConfig.Read(from) with { Quantization = new StoredQuantization(precision) };
        Assert.Equivalent(expected with { Notes = [] }, Sa2VAConfig.Read(to) with { Notes = [] }, strict: true);
        string[] files = [.. Directory.GetFiles(from).Where(f => !Path.GetFileName(f).StartsWith("model", StringComparison.Ordinal)
            && Path.GetFileName(f) != "config.json")];
        Assert.NotEmpty(files);
        Assert.All(files, f => Assert.Equal(File.ReadAllBytes(f), File.ReadAllBytes(Path.Combine(to, Path.GetFileName(f)))));
    }

    [Fact]
    public void A_block_may_begin_and_end_within_a_row()
    {
        string from = Fixtures.Model("sa2va-tiny-shapes");
        using Checkpoint checkpoint = Checkpoint.Open(from);
        var tensors = new NewTensors(Sa2VAConfig.Read(from), checkpoint, Precision.Int4);
        foreach (WeightInfo tensor in tensors.All.Where(t => t.Name.Contains("layers.0.mlp.up_proj", StringComparison.Ordinal)))
        {
            var whole = new byte[tensor.Bytes];
            tensors.Fill(tensor, 0, whole);
            var pieces = new byte[tensor.Bytes];
            int size = tensor.Type.Size();
            for (int at = 0, length = size; at < pieces.Length; at += length, length = Math.Min(17 * size + length, pieces.Length - at))
                tensors.Fill(tensor, at / size, pieces.AsSpan(at, Math.Min(length, pieces.Length - at)));
            Assert.Equal(whole, pieces);
        }
    }

    [Fact]
    public void An_embedding_that_serves_as_head_is_there_as_it_was_and_in_codes()
    {
        Sa2VAConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes"));
        config = config with { Language = config.Language with { TiedEmbeddings = true } };
        Synthesizer.Write(config, _folder.At("tied"), null, ShardWriter.ShardBytes, null, Cancellation);
        Quantizer.Write(_folder.At("tied"), _folder.At("new"), Precision.Int4, cancellation: Cancellation);
        using Checkpoint old = Checkpoint.Open(_folder.At("tied")), made = Checkpoint.Open(_folder.At("new"));
        string table = LanguageStack.TableName(config.Language);
        Assert.Equal(Bytes(old, table), Bytes(made, table));
        using QuantizedData? codes = ((IWeightSource)made).OpenQuantized(table);
        CheckCodes(old, table, codes!, Precision.Int8);
    }

    [Fact]
    public void What_cannot_be_is_refused_and_nothing_stays()
    {
        string toy = Fixtures.Model("sa2va-tiny-shapes"), to = _folder.At("new");
        Refused(_folder.At("absent"), to, "absent");
        Directory.CreateDirectory(_folder.At("mine"));
        File.WriteAllText(_folder.At("mine", "notes.txt"), "mine");
        Refused(toy, _folder.At("mine"), "not overwritten");
        Refused(toy, _folder.At("mine", "notes.txt"), "not overwritten");
        using var source = new CancellationTokenSource();
        var progress = new Progress(source.Cancel);
        Assert.Throws<OperationCanceledException>(() => Quantizer.Write(toy, to, Precision.Int8, 1000, progress, source.Token));
        Assert.Equal(1, progress.Count);
        Directory.CreateDirectory(to);
        Assert.Throws<OperationCanceledException>(() => Quantizer.Write(toy, to, Precision.Int8, 1000, null, source.Token));
        Assert.Equal(["mine", "mine/notes.txt", "new"], _folder.Entries);
        // An empty folder is filled.
        Quantizer.Write(toy, to, Precision.Int8, cancellation: Cancellation);
        Assert.DoesNotContain(_folder.Entries, e => e.EndsWith(".part", StringComparison.Ordinal));
        Refused(to, _folder.At("twice"), "quantised already (int8)");
        Assert.False(Directory.Exists(_folder.At("twice")));
        Assert.Throws<ArgumentOutOfRangeException>(() => Quantizer.Write(toy, _folder.At("twice"), Precision.BFloat16,
            cancellation: Cancellation));
    }

    [Fact]
    public void An_odd_number_of_inputs_and_weights_beyond_bf16_are_refused()
    {
        Sa2VAConfig config = Sa2VAConfig.Read(Fixtures.Model("sa2va-tiny-shapes"));
        config = config with { Language = config.Language with { IntermediateSize = 77 } };
        Synthesizer.Write(config, _folder.At("odd"), null, ShardWriter.ShardBytes, null, Cancellation);
        Assert.Contains("down_proj", Refused(_folder.At("odd"), _folder.At("new"), "77 inputs", Precision.Int4), StringComparison.Ordinal);
        Quantizer.Write(_folder.At("odd"), _folder.At("new"), Precision.Int8, cancellation: Cancellation);

        using var spoilt = new ChangedCheckpoint(Fixtures.Model("sa2va-tiny-shapes"), "language_model.model.layers.1.mlp.up_proj.weight",
            "BF16", (i, bits) => i == 500 ? (ushort)0x7F80 : bits);
        Refused(spoilt.Folder, _folder.At("other"), "infinity");
        Assert.False(Directory.Exists(_folder.At("other")));
    }

    private static string Refused(string from, string to, string part, Precision precision = Precision.Int8)
    {
        string message = Assert.Throws<CheckpointException>(() => Quantizer.Write(from, to, precision, cancellation: Cancellation)).Message;
        Assert.Contains(part, message, StringComparison.Ordinal);
        return message;
    }

    private static unsafe void CheckCodes(Checkpoint old, string name, QuantizedData codes, Precision precision)
    {
        int bits = name.Contains("lm_head", StringComparison.Ordinal) || name.EndsWith("output.weight", StringComparison.Ordinal)
            ? 8 : precision.WeightBits(), most = 1 << (bits - 1);
        using WeightData data = ((IWeightSource)old).Open(name);
        int rows = data.Info.Shape[0], depth = (int)(data.Info.Shape.Count / rows);
        Assert.Equal((bits, new Shape(rows, depth)), (codes.Bits, codes.Shape));
        foreach (int row in (int[])[0, rows / 2, rows - 1])
            for (int k = 0; k < depth; k++)
            {
                int first = k / 128 * 128;
                float[] group = [.. Enumerable.Range(first, Math.Min(128, depth - first)).Select(i => Value((long)row * depth + i))];
                float scale = BFloat16.Round(group.MaxBy(MathF.Abs) / -most);
                int code = scale == 0 ? 0 : (int)Math.Clamp(MathF.Round(group[k - first] / scale), -most, most - 1);
                byte at = codes.Codes(row)[k * bits / 8];
                Assert.Equal(code, (bits == 8 ? at : k % 2 == 0 ? at & 15 : at >> 4) - most);
                Assert.Equal(scale, codes.Scales(row)[k / 128].ToSingle());
            }

        float Value(long i) =>
            data.Info.Type == DType.F32 ? ((float*)data.Pointer)[i] : new BFloat16(((ushort*)data.Pointer)[i]).ToSingle();
    }

    private static unsafe byte[] Bytes(Checkpoint checkpoint, string name)
    {
        using WeightData data = ((IWeightSource)checkpoint).Open(name);
        return new ReadOnlySpan<byte>(data.Pointer, (int)data.Info.Bytes).ToArray();
    }

    private sealed class Progress(Action first) : IProgress<QuantizationProgress>
    {
        public int Count { get; private set; }

        public void Report(QuantizationProgress value)
        {
            if (Count++ == 0) first();
        }
    }
}
