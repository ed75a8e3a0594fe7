namespace Sa2VA.Cli;

/// <summary>
/// What was done with the input or found in the model that might not be expected, each told once on standard error. Held back until there
/// is a result: beside an error they would only hide it.
/// </summary>
internal sealed class HeldNotes(Terminal terminal)
{
    private readonly Lock _lock = new();
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly List<string> _held = [];
    private bool _telling;

    /// <summary>Takes a note; from any thread.</summary>
    public void Add(string note)
    {
        lock (_lock)
        {
            if (!_seen.Add(note)) return;
            if (_telling) terminal.Note(Quoted.Line(note));
            else _held.Add(note);
        }
    }

    /// <summary>Tells what was held back, and from now on everything at once.</summary>
    public void Tell()
    {
        lock (_lock)
        {
            if (_telling) return;
            _telling = true;
            foreach (string note in _held) terminal.Note(Quoted.Line(note));
            _held.Clear();
        }
    }
}
