using Sa2VA.Core;
using Sa2VA.Media;

namespace Sa2VA.Cli;

/// <summary>
/// What a command works on: pictures one after the other, or one video. A single one is opened, and so checked, at once; of several, each
/// when its turn comes.
/// </summary>
internal sealed class MediaList : IDisposable
{
    private readonly Func<string, MediaInput>? _open;

    /// <param name="only">The only picture or video.</param>
    public MediaList(MediaInput only) => (Only, Sources, Notes) = (only, [only.Source], only.Notes);

    private MediaList(IReadOnlyList<string> sources, HeldNotes notes, Func<string, MediaInput> open) =>
        (Sources, Notes, _open) = (sources, notes, open);

    /// <summary>The pictures as given, those of folders with the folder's path.</summary>
    public IReadOnlyList<string> Sources { get; }

    /// <summary>What was done with them that might not be expected.</summary>
    public HeldNotes Notes { get; }

    /// <summary>The only picture or video; null if there are several pictures.</summary>
    public MediaInput? Only { get; }

    /// <summary>Finds pictures: files, and those of folders.</summary>
    /// <param name="terminal">Its signals end waiting for a pipe.</param>
    /// <param name="paths">Files and folders.</param>
    /// <param name="options">How pictures are read, and in which order those of a folder.</param>
    public static MediaList OfPictures(Terminal terminal, IReadOnlyList<string> paths, MediaOptions options)
    {
        var notes = new HeldNotes(terminal);
        options = options with { OnNote = notes.Add };
        var sources = new List<string>();
        foreach (string path in paths)
        {
            if (Directory.Exists(path)) sources.AddRange(PictureFolder.Files(path, options));
            else sources.Add(path);
        }
        foreach (string path in sources) MediaInput.CheckImage(terminal, path);
        if (sources.Count(s => s == "-") > 1) throw new UsageException("Standard input is one picture: give --image - once.");
        return sources.Count == 1
            ? new MediaList(MediaInput.OpenImage(terminal, sources[0], options, notes))
            : new MediaList(sources, notes, path => MediaInput.OpenImage(terminal, path, options, notes));
    }

    /// <summary>Opens one of them; whoever asked closes it.</summary>
    /// <param name="index">From 0.</param>
    public MediaInput Open(int index) => Only ?? _open!(Sources[index]);

    /// <summary>
    /// A name for each that no two share, for folders: those of the files without their extension; with it where two differ in nothing
    /// else, and with a number where not even in that.
    /// </summary>
    public IReadOnlyList<string> Names()
    {
        string[] files = [.. Sources.Select((s, i) => NameOf(s, i))];
        HashSet<string> shared = [.. files.GroupBy(f => Path.GetFileNameWithoutExtension(f), Results.RunManifest.Names)
            .Where(g => g.Count() > 1).SelectMany(g => g)];
        var seen = new HashSet<string>(Results.RunManifest.Names);
        var names = new string[files.Length];
        for (int i = 0; i < files.Length; i++)
        {
            string name = shared.Contains(files[i]) ? files[i] : Path.GetFileNameWithoutExtension(files[i]);
            names[i] = name;
            for (int n = 2; !seen.Add(names[i]); n++) names[i] = FormattableString.Invariant($"{name}-{n}");
        }
        return names;
    }

    /// <inheritdoc/>
    public void Dispose() => Only?.Dispose();

    // What would be no folder of its own: '..' and the like, and what Windows would shorten.
    private static string NameOf(string source, int index)
    {
        string file = MediaInput.NameOf(source), name = Path.GetFileNameWithoutExtension(file);
        bool isPlain = name.Length > 0 && name[^1] is not ('.' or ' ') && file[^1] is not ('.' or ' ');
        return isPlain ? file : FormattableString.Invariant($"picture-{index:D5}");
    }
}
