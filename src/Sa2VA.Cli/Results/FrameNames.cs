using System.Globalization;

namespace Sa2VA.Cli.Results;

/// <summary>Names of the files that belong to a frame, without their extension.</summary>
internal sealed class FrameNames
{
    private readonly Func<int, string>? _source;
    private readonly bool _whole;

    private FrameNames(Func<int, string>? source, bool whole) => (_source, _whole) = (source, whole);

    /// <summary><c>frame-00000</c>, …</summary>
    public static FrameNames ByIndex { get; } = new(null, false);

    /// <summary>
    /// The names of the source's files without their extension, as evaluation servers for DAVIS and MeViS want them; with it where two
    /// files differ in nothing else.
    /// </summary>
    /// <param name="frames">Frames.</param>
    /// <param name="name">Name of the file that a frame came from.</param>
    public static FrameNames BySource(int frames, Func<int, string> name)
    {
        var seen = new HashSet<string>(RunManifest.Names);
        bool unique = true;
        for (int i = 0; i < frames && unique; i++) unique = seen.Add(Path.GetFileNameWithoutExtension(name(i)));
        return new FrameNames(name, !unique);
    }

    /// <summary>The name for a frame.</summary>
    /// <param name="index">From 0.</param>
    public string this[int index]
    {
        get
        {
            if (_source is null) return string.Create(CultureInfo.InvariantCulture, $"frame-{index:D5}");
            string name = _source(index);
            return _whole ? name : Path.GetFileNameWithoutExtension(name);
        }
    }
}
