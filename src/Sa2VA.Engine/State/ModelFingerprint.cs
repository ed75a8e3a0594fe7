using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.State;

/// <summary>
/// What tells a model from others (docs/session-state.md#which-model): a digest of its configuration, of every tensor's name, type and
/// shape, and of some of its values. Reading all of them would take as long as loading the checkpoint.
/// </summary>
internal static class ModelFingerprint
{
    /// <summary>Bytes.</summary>
    public const int Length = SHA256.HashSizeInBytes;

    /// <summary>Bytes at a tensor's beginning, middle and end.</summary>
    private const int Sample = 64;

    /// <summary>The digest.</summary>
    /// <param name="config">As the checkpoint's config.json was read.</param>
    /// <param name="singleResize">True where pictures are brought to size in one resize.</param>
    /// <param name="checkpoint">Open.</param>
    /// <param name="tracker">Weights that track in place of the checkpoint's own; null for none.</param>
    public static byte[] Of(Sa2VAConfig config, bool singleResize, Checkpoint checkpoint, TrackerWeights? tracker)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json)) SyntheticConfigFile.Write(writer, config);
        hash.AppendData(json.GetBuffer().AsSpan(0, (int)json.Length));
        hash.AppendData([(byte)(singleResize ? 1 : 0)]);
        foreach (string name in checkpoint.Names) Append(hash, name, checkpoint);
        foreach (string name in tracker?.TrackerNames ?? []) Append(hash, name, tracker!);
        return hash.GetHashAndReset();
    }

    private static unsafe void Append(IncrementalHash hash, string name, IWeightSource weights)
    {
        hash.AppendData(Encoding.UTF8.GetBytes(name));
        // What the engine does not read tells no models apart.
        if (!weights.TryDescribe(name, out WeightInfo info)) return;
        hash.AppendData(Encoding.UTF8.GetBytes($" {info.Type} {info.Shape}\n"));
        using WeightData data = weights.Open(name);
        for (int i = 0; i < 3; i++)
        {
            int count = (int)Math.Min(Sample, info.Bytes);
            long at = (info.Bytes - count) / 2 * i;
            hash.AppendData(new ReadOnlySpan<byte>(data.Pointer + at, count));
        }
    }
}
