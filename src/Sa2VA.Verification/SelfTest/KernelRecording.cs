using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.SelfTest;

/// <summary>A device whose results were recorded.</summary>
/// <param name="Name">As its driver calls it.</param>
/// <param name="Capability">Compute capability times ten.</param>
/// <param name="DriverVersion">As 13000 for CUDA 13.0.</param>
/// <param name="Date">When.</param>
public sealed record RecordedDevice(string Name, int Capability, int DriverVersion, DateTimeOffset Date);

/// <summary>
/// What a device gave in the checks of <see cref="KernelSelfTest"/>, as a safetensors file: a tensor for each check, named by precision, op
/// and what it is; of large results every n-th number, and a hash of all. Written on a card, it is what the virtual GPU must equal.
/// </summary>
/// <param name="device">The device.</param>
public sealed class KernelRecording(RecordedDevice device)
{
    private const string Format = "sa2va-kernel-checks/2";

    // Of larger results, every n-th number is stored.
    private const int MostStored = 1024;

    private readonly SortedDictionary<string, string> _hashes = new(StringComparer.Ordinal);
    private readonly List<RecordedCheck> _checks = [];

    /// <summary>The device.</summary>
    public RecordedDevice Device => device;

    /// <summary>The checks, in the order they were made.</summary>
    internal IReadOnlyList<RecordedCheck> Checks => _checks;

    /// <summary>Hashes of the kernels' PTX by family.</summary>
    internal IReadOnlyDictionary<string, string> Hashes => _hashes;

    /// <summary>Adds a check.</summary>
    /// <param name="precision">The backend's.</param>
    /// <param name="check">What came of it.</param>
    /// <param name="kernels">Hashes of the PTX of the kernels that it ran, by family.</param>
    public void Add(Precision precision, KernelCheck check, IReadOnlyDictionary<string, string> kernels)
    {
        byte[] bytes = check.Result switch
        {
            float[] floats => MemoryMarshal.AsBytes<float>(floats).ToArray(),
            long[] integers => MemoryMarshal.AsBytes<int>(Array.ConvertAll(integers, v => checked((int)v))).ToArray(),
            _ => [],
        };
        int[] all = MemoryMarshal.Cast<byte, int>(bytes).ToArray();
        int step = StepOf(all.Length);
        Restore(new RecordedCheck
        {
            Name = $"{precision.Name()}/{check.Op}/{check.What}",
            Families = [.. kernels.Keys.Order(StringComparer.Ordinal)],
            Problem = check.Problem,
            Count = all.Length,
            Hash = Convert.ToHexStringLower(SHA256.HashData(bytes)),
            Type = check.Result is float[] ? DType.F32 : DType.I32,
            Step = step,
            Bits = [.. Enumerable.Range(0, (all.Length + step - 1) / step).Select(i => all[i * step])],
        }, kernels);
    }

    /// <summary>Adds a check as it was recorded, with the hashes of its kernels.</summary>
    internal void Restore(RecordedCheck check, IEnumerable<KeyValuePair<string, string>> kernels)
    {
        foreach ((string family, string hash) in kernels) _hashes[family] = hash;
        _checks.Add(check);
    }

    /// <summary>Writes the file.</summary>
    /// <exception cref="CheckpointException">It cannot be written.</exception>
    public void Write(string path, CancellationToken cancellation = default)
    {
        Dictionary<string, RecordedCheck> byName = _checks.ToDictionary(c => c.Name, StringComparer.Ordinal);
        SafetensorsWriter.Write(path,
            [.. _checks.Where(c => c.Bits.Count > 0).Select(c => new WeightInfo(c.Name, Stored(c), new Shape(c.Bits.Count)))],
            (tensor, start, target) =>
            {
                IReadOnlyList<int> bits = byName[tensor.Name].Bits;
                ReadOnlySpan<byte> bytes = tensor.Type == DType.BF16
                    ? MemoryMarshal.AsBytes<ushort>([.. bits.Select(b => (ushort)((uint)b >> 16))]) : MemoryMarshal.AsBytes<int>([.. bits]);
                bytes.Slice(checked((int)start) * (int)tensor.Type.Size(), target.Length).CopyTo(target);
            },
            new Dictionary<string, string>
            {
                ["format"] = Format,
                ["device"] = device.Name,
                ["capability"] = device.Capability.ToString(CultureInfo.InvariantCulture),
                ["driver"] = device.DriverVersion.ToString(CultureInfo.InvariantCulture),
                ["date"] = device.Date.ToString("O", CultureInfo.InvariantCulture),
                ["kernels"] = JsonSerializer.Serialize(_hashes, RecordingJson.Default.SortedDictionaryStringString),
                ["checks"] = JsonSerializer.Serialize(_checks, RecordingJson.Default.ListRecordedCheck),
            }, cancellation: cancellation);
    }

    /// <summary>Reads a file that <see cref="Write"/> wrote.</summary>
    /// <exception cref="CheckpointException">It is none.</exception>
    internal static KernelRecording Read(string path)
    {
        using var file = new SafetensorsFile(path);
        try
        {
            if (file.Metadata["format"] != Format) throw new CheckpointException($"'{path}' has another format than {Format}.");
            var recording = new KernelRecording(new RecordedDevice(file.Metadata["device"], Number("capability"), Number("driver"),
                DateTimeOffset.Parse(file.Metadata["date"], CultureInfo.InvariantCulture)));
            SortedDictionary<string, string> hashes =
                JsonSerializer.Deserialize(file.Metadata["kernels"], RecordingJson.Default.SortedDictionaryStringString)!;
            foreach (RecordedCheck check in JsonSerializer.Deserialize(file.Metadata["checks"], RecordingJson.Default.ListRecordedCheck)!)
                recording.Restore(file.TryDescribe(check.Name, out WeightInfo info)
                        ? check with { Type = info.Type == DType.BF16 ? DType.F32 : info.Type, Bits = BitsOf(file, check.Name) } : check,
                    check.Families.Select(f => KeyValuePair.Create(f, hashes[f])));
            return recording;
        }
        catch (Exception e) when (e is KeyNotFoundException or FormatException or JsonException)
        {
            throw new CheckpointException($"'{path}' holds no recorded checks: {e.Message}", e);
        }

        int Number(string key) => int.Parse(file.Metadata[key], CultureInfo.InvariantCulture);
    }

    // What a kernel rounded to bf16 has nothing in the lower half.
    private static DType Stored(RecordedCheck check) =>
        check.Type == DType.F32 && check.Bits.All(b => (b & 0xffff) == 0) ? DType.BF16 : check.Type;

    private static unsafe int[] BitsOf(SafetensorsFile file, string name)
    {
        using WeightData data = file.Open(name);
        if (data.Info.Type == DType.BF16)
            return [.. new ReadOnlySpan<ushort>(data.Pointer, checked((int)data.Info.Shape.Count)).ToArray().Select(b => b << 16)];
        return new ReadOnlySpan<int>(data.Pointer, checked((int)data.Info.Shape.Count)).ToArray();
    }

    /// <summary>Not a divisor of the count, so that what is stored is not all of one column.</summary>
    private static int StepOf(int count)
    {
        int step = Math.Max(1, (count + MostStored - 1) / MostStored);
        while (step > 1 && count % step == 0) step++;
        return step;
    }
}
