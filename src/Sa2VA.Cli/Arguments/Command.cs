namespace Sa2VA.Cli.Arguments;

/// <summary>A command of the program.</summary>
/// <param name="name">Name.</param>
/// <param name="description">What it does.</param>
/// <param name="examples">Complete command lines; help ends with them.</param>
internal sealed class Command(string name, string description, params string[] examples)
{
    /// <summary>Name.</summary>
    public string Name => name;

    /// <summary>What it does.</summary>
    public string Description => description;

    /// <summary>Complete command lines.</summary>
    public IReadOnlyList<string> Examples => examples;

    /// <summary>Its options, in the order of help.</summary>
    public required IReadOnlyList<Option> Options { get; init; }

    /// <summary>Does it, and gives the exit code.</summary>
    public required Func<Values, Task<int>> Run { get; init; }
}

/// <summary>What the options of a command line are.</summary>
internal sealed class Values
{
    private readonly Dictionary<Option, object> _given = [];

    /// <summary>An option's value, or its default.</summary>
    public T Get<T>(Option<T> option) => _given.TryGetValue(option, out object? value) ? (T)value : option.Default;

    /// <summary>The value of a text that is required or has a default.</summary>
    public string Text(TextOption option) => Get(option) ?? throw new InvalidOperationException($"{option.Name} may be absent.");

    /// <summary>The value of a number that has a default.</summary>
    public int Number(NumberOption option) => Get(option) ?? throw new InvalidOperationException($"{option.Name} may be absent.");

    /// <summary>True if the option was given.</summary>
    public bool Has(Option option) => _given.ContainsKey(option);

    /// <summary>Takes over a value.</summary>
    public void Add(Option option, string text) => _given[option] = option.Read(_given.GetValueOrDefault(option), text);
}
