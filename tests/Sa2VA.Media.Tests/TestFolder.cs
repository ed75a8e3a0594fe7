namespace Sa2VA.Tests;

/// <summary>A folder that goes away with the test.</summary>
internal sealed class TestFolder : IDisposable
{
    public TestFolder() => Folder = Directory.CreateTempSubdirectory("sa2va-media-").FullName;

    public string Folder { get; }

    public string this[string name] => Path.Combine(Folder, name);

    public string[] Names =>
        [.. Directory.EnumerateFileSystemEntries(Folder).Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
