using System.Text.Json.Serialization;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>A check of the self-test as <see cref="KernelRecording"/> keeps it.</summary>
internal sealed record RecordedCheck
{
    /// <summary>Precision, op and what it is, with slashes between.</summary>
    public required string Name { get; init; }

    /// <summary>Families of the kernels that it ran.</summary>
    public required IReadOnlyList<string> Families { get; init; }

    /// <summary>What was wrong, or null.</summary>
    public string? Problem { get; init; }

    /// <summary>Numbers of the result.</summary>
    public required int Count { get; init; }

    /// <summary>SHA-256 of all of them, 32 bits each, little-endian.</summary>
    public required string Hash { get; init; }

    /// <summary>How far the stored numbers are apart.</summary>
    public required int Step { get; init; }

    /// <summary>F32, or I32 for integers of any width.</summary>
    [JsonIgnore]
    public DType Type { get; init; }

    /// <summary>The stored numbers' bits.</summary>
    [JsonIgnore]
    public IReadOnlyList<int> Bits { get; init; } = [];
}

[JsonSerializable(typeof(List<RecordedCheck>))]
[JsonSerializable(typeof(SortedDictionary<string, string>))]
internal sealed partial class RecordingJson : JsonSerializerContext;
