using System.Security.Cryptography;
using System.Text;

namespace Sa2VA.Cli.Results;

/// <summary>
/// Puts a run's files in the place of the former run's: either all of it happens or nothing. Two processes that do it to one folder do it
/// one after the other.
/// </summary>
internal sealed class RunReplacement
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly string _staging, _target, _aside;
    private readonly RunDescription _run;
    private readonly Stack<(string From, string To)> _moves = new();

    private RunReplacement(string staging, string target, RunDescription run) =>
        (_staging, _target, _run, _aside) = (staging, target, run, Path.Combine(target, $"{Path.GetRandomFileName()}.part"));

    /// <summary>Moves the files of a folder to where they belong.</summary>
    /// <param name="staging">Folder with the new files; it is removed.</param>
    /// <param name="target">The result folder; it exists.</param>
    /// <param name="run">What the new run was asked.</param>
    /// <param name="overwrite">True to take the place of a run that is there.</param>
    /// <returns>False if a run is there whose place is not to be taken.</returns>
    /// <exception cref="UsageException">Another run is in its way for long, or a file that no run has written.</exception>
    public static bool Do(string staging, string target, RunDescription run, bool overwrite)
    {
        using var mutex = new Mutex(false, MutexName(target));
        try
        {
            if (!mutex.WaitOne(Patience))
                throw new UsageException($"Another run has been writing to {Quoted.Of(target)} for a minute; "
                    + "give another folder with --out.");
        }
        catch (AbandonedMutexException)
        {
            // Its owner was killed. What it left half done is in its list of files.
        }
        try
        {
            if (!overwrite && RunManifest.Exists(target)) return false;
            new RunReplacement(staging, target, run).Replace();
            return true;
        }
        finally
        {
            mutex.ReleaseMutex();
        }
    }

    /// <summary>The error for a file that must not be overwritten.</summary>
    public static UsageException InTheWay(string path) =>
        new($"{Quoted.Of(path)} is in the way, and no {RunManifest.FileName} says that a run wrote it; "
            + "move it away, or give another folder with --out.");

    private void Replace()
    {
        HashSet<string> former = RunManifest.FilesOf(_target);
        List<string> files = [.. ResultFiles.In(_staging)];
        foreach (string file in files)
            if (!former.Contains(file) && Path.Exists(At(_target, file))) throw InTheWay(At(_target, file));
        string list = Path.Combine(_target, RunManifest.FileName);
        byte[]? before = File.Exists(list) ? File.ReadAllBytes(list) : null;
        // Should this process die on the way, the list names everything that either run has written.
        RunManifest.Write(_target, _run, former.Union(files), complete: false);
        try
        {
            Directory.CreateDirectory(_aside);
            int number = 0;
            foreach (string file in former)
                if (File.Exists(At(_target, file))) Move(At(_target, file), Path.Combine(_aside, $"{number++}"));
            foreach (string file in files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(At(_target, file))!);
                Move(At(_staging, file), At(_target, file));
            }
            RunManifest.Write(_target, _run, files, complete: true);
        }
        catch
        {
            while (_moves.TryPop(out (string From, string To) move)) File.Move(move.To, move.From);
            if (before is null) File.Delete(list);
            else File.WriteAllBytes(list, before);
            Directory.Delete(_aside);
            throw;
        }
        Directory.Delete(_aside, recursive: true);
        Directory.Delete(_staging, recursive: true);
        foreach (string file in former) RemoveEmpty(Path.GetDirectoryName(At(_target, file))!);
    }

    private void Move(string from, string to)
    {
        File.Move(from, to);
        _moves.Push((from, to));
    }

    private void RemoveEmpty(string folder)
    {
        while (folder.Length > _target.Length && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
            folder = Path.GetDirectoryName(folder)!;
        }
    }

    private static string At(string folder, string file) => Path.Combine([folder, .. file.Split('/')]);

    // A lock by name leaves no file behind, whoever is killed.
    private static string MutexName(string target)
    {
        string real = Directory.ResolveLinkTarget(target, returnFinalTarget: true)?.FullName ?? target;
        return @"Global\sa2va-" + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(real)), 0, 16);
    }
}
