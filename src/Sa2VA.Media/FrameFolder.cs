using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>A folder of pictures as a video.</summary>
internal sealed class FrameFolder : VideoSource
{
    private readonly string[] _files;
    private readonly bool _upright;
    private bool _noted;

    public FrameFolder(string path, MediaOptions options) : base(path, options)
    {
        _upright = options.Upright;
        _files = InOrder(Frames(path), options.Order);
        using EncodedImage first = EncodedImage.Open(_files[0], _upright, member: true);
        (Width, Height) = (first.Width, first.Height);
        if (StillNote(first) is { } note) Note(note);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override int FrameCount => _files.Length;

    public override TimeSpan? Duration(int index) => null;

    private protected override string NameOf(int index) => Path.GetFileName(_files[index]);

    private protected override RgbImage Decode(int index, out string? note)
    {
        using EncodedImage file = EncodedImage.Open(_files[index], _upright, member: true);
        if (file.Width != Width || file.Height != Height)
            throw new MediaException($"{_files[index]} has {file.Width}×{file.Height} pixels, the first frame {Width}×{Height}; "
                + "all frames of a video must have one size.");
        note = StillNote(file);
        return file.Picture();
    }

    private protected override void Close()
    {
    }

    /// <summary>The files that are frames, in the order of their characters; of the others is told what they are.</summary>
    private string[] Frames(string path)
    {
        string[] files, folders;
        try
        {
            files = [.. Directory.EnumerateFiles(path).OrderBy(Path.GetFileName, StringComparer.Ordinal)];
            folders = [.. Directory.EnumerateDirectories(path).Select(f => Path.GetFileName(f) + Path.DirectorySeparatorChar)
                .Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MediaException($"{path} cannot be read: {FileTrouble.Cause(e)}; check the folder.", e);
        }
        string[] frames = [.. files.Where(IsFrame)];
        string[] others = [.. files.Except(frames).Select(f => Path.GetFileName(f)), .. folders];
        if (frames.Length == 0)
            throw new MediaException($"{path} holds no frames: no file ends in {FileKinds.FrameList}."
                + (others.Length > 0 ? $" It holds {Some(others)}." : " It is empty."));
        if (others.Length > 0)
            Note($"{path}: {Some(others)} {(others.Length == 1 ? "is no frame and was" : "are no frames and were")} left out.");
        string[] twice = [.. frames.Select(f => Path.GetFileName(f))
            .GroupBy(f => Path.GetFileNameWithoutExtension(f), StringComparer.OrdinalIgnoreCase)
            .Where(g => g.Count() > 1).Select(g => string.Join(" and ", g))];
        if (twice.Length > 0) Note($"{path}: {Some(twice)} have one name but for their endings; each is a frame of its own.");
        return frames;
    }

    /// <summary>Whether a file is a frame: by its ending, or without one by its content.</summary>
    /// <exception cref="MediaException">It is a picture or video that is not read: leaving it out would make another video.</exception>
    private static bool IsFrame(string file)
    {
        string name = Path.GetFileName(file);
        // Names that begin with a dot are what file managers leave beside pictures.
        if (name.StartsWith('.') || FileKinds.IsLeftover(name)) return false;
        if (FileKinds.IsFrame(name)) return true;
        byte[] start = FileContent.Start(file);
        bool readable = Container.FormatOf(start) is not null;
        (ForeignFile.Kind Kind, string Name)? content = ForeignFile.Recognise(start), named = FileKinds.Foreign(name);
        if (content is { Kind: not (ForeignFile.Kind.Video or ForeignFile.Kind.Picture) }) content = null;
        if (named is not null && !readable)
        {
            (ForeignFile.Kind kind, string what) = content ?? named.Value;
            throw new MediaException(ForeignFile.Refusal(kind, what, file));
        }
        if (named is not null) return true;
        bool nameless = FileKinds.IsNameless(name);
        if (nameless && content is { } foreign) throw new MediaException(ForeignFile.Refusal(foreign.Kind, foreign.Name, file));
        if (!readable || nameless) return readable;
        throw new MediaException($"{file} is a picture, but its name does not end as one; rename it, or take it out of the folder.");
    }

    private string[] InOrder(string[] byName, FrameOrder order)
    {
        if (order == FrameOrder.Name) return byName;
        string[] natural = [.. byName.OrderBy(Path.GetFileName, NaturalOrder.Instance)];
        int moved = Enumerable.Range(0, natural.Length).FirstOrDefault(i => natural[i] != byName[i], -1);
        if (moved >= 0)
            Note($"The frames of {Name} follow one another by their numbers ({From(natural, moved)}), not by the characters of their names "
                + $"({From(byName, moved)}) as the reference sorts them.");
        return natural;
    }

    /// <summary>The first names of a list, and how many more there are.</summary>
    private static string Some(string[] names)
    {
        const int shown = 5;
        string first = string.Join(", ", names.Take(shown));
        return names.Length > shown ? $"{first} and {names.Length - shown} more" : first;
    }

    /// <summary>Some names around the first that matters.</summary>
    private static string From(string[] files, int first)
    {
        const int shown = 3;
        int start = Math.Max(first - 1, 0);
        string names = string.Join(", ", files.Skip(start).Take(shown).Select(Path.GetFileName));
        return (start > 0 ? "…, " : "") + names + (start + shown < files.Length ? ", …" : "");
    }

    /// <summary>A thousand frames of one camera are one note.</summary>
    private string? StillNote(EncodedImage file)
    {
        if (_noted || file.StillNote is not { } note) return null;
        _noted = true;
        return $"{note} So are other frames like it.";
    }
}
