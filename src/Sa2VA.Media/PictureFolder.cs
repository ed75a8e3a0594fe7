using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>The pictures of a folder.</summary>
public static class PictureFolder
{
    /// <summary>The files of a folder that are pictures, in order; what else it holds is noted and left out.</summary>
    /// <param name="path">The folder; those below it are not looked into.</param>
    /// <param name="options">The order, and who is told of it; null for the defaults.</param>
    /// <exception cref="MediaException">
    /// It cannot be read, holds no picture, or a picture of a kind that is not read: leaving it out in silence would be another set.
    /// </exception>
    public static IReadOnlyList<string> Files(string path, MediaOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= MediaOptions.Default;
        return Files(path, options.Order, "picture", note => options.OnNote?.Invoke(note));
    }

    /// <summary>The same for pictures of another name.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="order">The order.</param>
    /// <param name="noun">What they are called: frame, picture.</param>
    /// <param name="note">Is told what might not be expected.</param>
    internal static string[] Files(string path, FrameOrder order, string noun, Action<string> note)
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
            throw new MediaException($"{path} holds no {noun}s: no file ends in {FileKinds.FrameList}."
                + (others.Length > 0 ? $" It holds {Some(others)}." : " It is empty."));
        if (others.Length > 0)
            note($"{path}: {Some(others)} {(others.Length == 1 ? $"is no {noun} and was" : $"are no {noun}s and were")} left out.");
        string[] twice = [.. frames.Select(f => Path.GetFileName(f))
            .GroupBy(f => Path.GetFileNameWithoutExtension(f), StringComparer.OrdinalIgnoreCase)
            .Where(g => g.Count() > 1).Select(g => string.Join(" and ", g))];
        if (twice.Length > 0) note($"{path}: {Some(twice)} have one name but for their endings; each is a {noun} of its own.");
        return order == FrameOrder.Name ? frames : Natural(path, frames, noun, note);
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

    private static string[] Natural(string path, string[] byName, string noun, Action<string> note)
    {
        string[] natural = [.. byName.OrderBy(Path.GetFileName, NaturalOrder.Instance)];
        int moved = Enumerable.Range(0, natural.Length).FirstOrDefault(i => natural[i] != byName[i], -1);
        if (moved >= 0)
            note($"The {noun}s of {path} follow one another by their numbers ({From(natural, moved)}), not by the characters of their "
                + $"names ({From(byName, moved)}) as the reference sorts them.");
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
}
