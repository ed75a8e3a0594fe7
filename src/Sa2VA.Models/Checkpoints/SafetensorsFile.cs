using System.IO.MemoryMappedFiles;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A memory-mapped safetensors file. Opening reads the header alone; a tensor's pages are mapped while it is open, so what a backend has
/// packed need not stay resident.
/// </summary>
public sealed class SafetensorsFile : IWeightSource, IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly Dictionary<string, SafetensorsEntry> _byName;
    private readonly long _dataStart;
    private bool _disposed;

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointException">It cannot be read, or it breaks the format.</exception>
    public SafetensorsFile(string path)
    {
        Path = path;
        FileStream? stream = null;
        try
        {
            stream = RegularFile.Open(path);
            long length = stream.Length;
            byte[] first = new byte[Math.Min(ForeignFile.Start, length)];
            stream.ReadExactly(first);
            byte[] json = new byte[SafetensorsHeader.ReadLength(first, length, path)];
            stream.Position = 8;
            stream.ReadExactly(json);
            SafetensorsHeader header = SafetensorsHeader.Parse(json, length, path);
            (Entries, Metadata, _dataStart) = (header.Entries, header.Metadata, header.DataStart);
            _byName = header.Entries.ToDictionary(e => e.Name, StringComparer.Ordinal);
            _map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None,
                leaveOpen: false);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw ForeignFile.Missing(path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            stream?.Dispose();
            throw new CheckpointException($"'{path}' cannot be read: {FileTrouble.Cause(e)}.", e);
        }
        catch
        {
            stream?.Dispose();
            throw;
        }
    }

    /// <summary>Path as given.</summary>
    public string Path { get; }

    /// <summary>Tensors in file order.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The <c>__metadata__</c> object.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>True if the file lists the tensor, whatever its type.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <inheritdoc/>
    public bool TryDescribe(string name, out WeightInfo info)
    {
        info = default;
        return _byName.TryGetValue(name, out SafetensorsEntry? entry) && entry.TryWeight(out info);
    }

    /// <inheritdoc/>
    public WeightData Open(string name)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_byName.TryGetValue(name, out SafetensorsEntry? entry)) throw new CheckpointException($"'{Path}' has no tensor '{name}'.");
        if (!entry.TryWeight(out WeightInfo info))
            throw new CheckpointException(
                $"Tensor '{name}' in '{Path}' is {entry.TypeName} [{string.Join(", ", entry.Dims)}], which the engine does not read.");
        try
        {
            return new Mapped(info,
                _map.CreateViewAccessor(_dataStart + entry.Begin, entry.End - entry.Begin, MemoryMappedFileAccess.Read));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"Tensor '{name}' in '{Path}' cannot be read: {FileTrouble.Cause(e)}.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _map.Dispose();
    }

    /// <summary>
    /// A mapped tensor. The handle is held by reference alone: a pointer taken with AcquirePointer would keep the pages of a view that
    /// nobody disposed for ever, as a handle with a count is not freed by the collector.
    /// </summary>
    private sealed unsafe class Mapped(WeightInfo info, MemoryMappedViewAccessor view) : WeightData(info)
    {
        private byte* _pointer = (byte*)view.SafeMemoryMappedViewHandle.DangerousGetHandle() + view.PointerOffset;

        public override byte* Pointer => _pointer is null ? throw new ObjectDisposedException(Info.Name) : _pointer;

        public override void Dispose()
        {
            _pointer = null;
            view.Dispose();
        }
    }
}
