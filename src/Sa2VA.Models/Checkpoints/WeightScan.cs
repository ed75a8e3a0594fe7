using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A stored tensor with values that are not finite.</summary>
/// <param name="File">Path of its file.</param>
/// <param name="Name">Name.</param>
/// <param name="Type">Element type as the file spells it.</param>
/// <param name="Dims">Extents, row-major.</param>
/// <param name="NaN">Values that are not a number.</param>
/// <param name="Infinite">Infinite values.</param>
/// <param name="First">Index of the first such value, row-major.</param>
public sealed record NonFiniteTensor(string File, string Name, string Type, IReadOnlyList<long> Dims, long NaN, long Infinite, long First);

/// <summary>How far a scan has come.</summary>
/// <param name="Done">Bytes read.</param>
/// <param name="Total">Bytes of all weights.</param>
public readonly record struct ScanProgress(long Done, long Total);

/// <summary>Reads every weight of a checkpoint and finds the values that are not finite, whatever float type they are stored in.</summary>
public static class WeightScan
{
    private const int BlockBytes = 1 << 20;

    /// <summary>Scans all weight files, a block at a time.</summary>
    /// <param name="checkpoint">An open checkpoint.</param>
    /// <param name="progress">Told after every block.</param>
    /// <param name="cancellation">Stops between two blocks.</param>
    /// <returns>The tensors with values that are not finite, in the order of the files.</returns>
    /// <exception cref="CheckpointException">A file cannot be read.</exception>
    public static IReadOnlyList<NonFiniteTensor> Run(
        Checkpoint checkpoint, IProgress<ScanProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        var found = new List<NonFiniteTensor>();
        byte[] block = new byte[BlockBytes];
        long done = 0;
        foreach (string path in checkpoint.Files)
            try
            {
                using var file = new SafetensorsFile(path);
                using var stream = RegularFile.Open(path, 0, FileOptions.SequentialScan);
                // The tensors cover the file up to its end; the header's check has seen to it.
                long dataStart = stream.Length - file.Entries.Select(e => e.End).DefaultIfEmpty().Max();
                foreach (SafetensorsEntry entry in file.Entries)
                {
                    stream.Position = dataStart + entry.Begin;
                    var counts = new Counts();
                    for (long at = entry.Begin; at < entry.End;)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        int length = (int)Math.Min(block.Length, entry.End - at);
                        stream.ReadExactly(block, 0, length);
                        counts.Add(block.AsSpan(0, length), entry.TypeName);
                        at += length;
                        done += length;
                        progress?.Report(new ScanProgress(done, checkpoint.Bytes));
                    }
                    if (counts.NaN + counts.Infinite > 0)
                        found.Add(new NonFiniteTensor(path, entry.Name, entry.TypeName, entry.Dims, counts.NaN, counts.Infinite,
                            counts.First));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CheckpointException($"'{path}' cannot be read: {FileTrouble.Cause(e)}.", e);
            }
        return found;
    }

    /// <summary>Counts of one tensor, block by block.</summary>
    internal struct Counts()
    {
        private long _seen;

        /// <summary>Values that are not a number.</summary>
        public long NaN { get; private set; }

        /// <summary>Infinite values.</summary>
        public long Infinite { get; private set; }

        /// <summary>Index of the first of either; −1 without one.</summary>
        public long First { get; private set; } = -1;

        /// <summary>Takes the next bytes, whole values.</summary>
        /// <param name="bytes">Little-endian values.</param>
        /// <param name="type">Element type as safetensors spells it; one that is no float has only finite values.</param>
        public void Add(ReadOnlySpan<byte> bytes, string type)
        {
            // Mask of the exponent's bits, which are all set in what is not finite, and of the fraction's, which tell NaN from infinity.
            switch (type)
            {
                case "F64": Add<ulong>(Values<ulong>(bytes), 0x7FF0_0000_0000_0000, 0x000F_FFFF_FFFF_FFFF, 1); break;
                case "F32": Add<uint>(Values<uint>(bytes), 0x7F80_0000, 0x007F_FFFF, 1); break;
                case "C64": Add<uint>(Values<uint>(bytes), 0x7F80_0000, 0x007F_FFFF, 2); break;
                case "F16": Add<ushort>(Values<ushort>(bytes), 0x7C00, 0x03FF, 1); break;
                case "BF16": Add<ushort>(Values<ushort>(bytes), 0x7F80, 0x007F, 1); break;
                case "F8_E5M2": Add<byte>(bytes, 0x7C, 0x03, 1); break;
                // These two have no infinities: all bits set is NaN, and the first has a sign.
                case "F8_E4M3": Add<byte>(bytes, 0x7F, 0x7F, 1); break;
                case "F8_E8M0": Add<byte>(bytes, 0xFF, 0xFF, 1); break;
                default: break;
            }
        }

        private static ReadOnlySpan<T> Values<T>(ReadOnlySpan<byte> bytes) where T : unmanaged => MemoryMarshal.Cast<byte, T>(bytes);

        private void Add<T>(ReadOnlySpan<T> values, T exponent, T fraction, int perElement) where T : unmanaged, IBinaryInteger<T>
        {
            var mask = new Vector<T>(exponent);
            int at = 0;
            for (; at <= values.Length - Vector<T>.Count; at += Vector<T>.Count)
                if (Vector.EqualsAny(new Vector<T>(values[at..]) & mask, mask))
                    Count(values.Slice(at, Vector<T>.Count), at, exponent, fraction, perElement);
            Count(values[at..], at, exponent, fraction, perElement);
            _seen += values.Length;
        }

        private void Count<T>(ReadOnlySpan<T> values, int from, T exponent, T fraction, int perElement) where T : unmanaged,
            IBinaryInteger<T>
        {
            for (int i = 0; i < values.Length; i++)
            {
                if ((values[i] & exponent) != exponent) continue;
                if (First < 0) First = (_seen + from + i) / perElement;
                if ((values[i] & fraction) != T.Zero) NaN++;
                else Infinite++;
            }
        }
    }
}
