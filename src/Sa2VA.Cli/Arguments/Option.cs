using System.Globalization;

namespace Sa2VA.Cli.Arguments;

/// <summary>An option of a command: its name, what help says of it, and how its value is read.</summary>
/// <param name="name">Such as <c>--image</c>.</param>
/// <param name="valueName">What help calls the value; null for a switch, which has none.</param>
/// <param name="description">One sentence for help.</param>
internal abstract class Option(string name, string? valueName, string description)
{
    /// <summary>Such as <c>--image</c>.</summary>
    public string Name => name;

    /// <summary>What help calls the value; null for a switch.</summary>
    public string? ValueName => valueName;

    /// <summary>One sentence for help.</summary>
    public string Description => description;

    /// <summary>The name with its value's.</summary>
    public string Usage => valueName is null ? name : $"{name} {valueName}";

    /// <summary>True if the command cannot run without it.</summary>
    public bool Required { get; init; }

    /// <summary>True if any text is a value, also one that spells an option.</summary>
    public bool IsText { get; init; }

    /// <summary>True if further values may follow the first one without the name between.</summary>
    public virtual bool TakesSeveral => false;

    /// <summary>Whether help shows a default.</summary>
    public virtual string? DefaultText => null;

    /// <summary>Reads a value.</summary>
    /// <param name="before">What was read for this option before, or null.</param>
    /// <param name="text">The value as given.</param>
    /// <exception cref="UsageException">It cannot be used; the message says what can.</exception>
    public abstract object Read(object? before, string text);

    private protected void RefuseSecond(object? before)
    {
        if (before is not null) throw new UsageException($"{name} is given twice; give it once.");
    }

    private protected void RefuseEmpty(string text)
    {
        if (string.IsNullOrWhiteSpace(text)) throw new UsageException($"{name} is empty; it takes {valueName}: {description}");
    }

    private protected UsageException Refused(string takes, string text) => new($"{name} takes {takes}, not {Quoted.Of(text)}.");
}

/// <summary>An option whose value has the type <typeparamref name="T"/>.</summary>
internal abstract class Option<T>(string name, string? valueName, string description) : Option(name, valueName, description)
{
    /// <summary>The value when the option is not given.</summary>
    public required T Default { get; init; }
}

/// <summary>A switch.</summary>
internal sealed class Flag : Option<bool>
{
    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    public Flag(string name, string description) : base(name, null, description) => Default = false;

    // Twice the same is the same.
    public override object Read(object? before, string text) => true;
}

/// <summary>A text, a file or a folder.</summary>
internal sealed class TextOption : Option<string?>
{
    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    public TextOption(string name, string valueName, string description) : base(name, valueName, description) => Default = null;

    public override string? DefaultText => IsText ? null : Default;

    public override object Read(object? before, string text)
    {
        RefuseSecond(before);
        RefuseEmpty(text);
        return text.Contains('\0') ? throw Refused("text without NUL characters", text) : text;
    }
}

/// <summary>Texts; the option may be given several times.</summary>
internal sealed class TextListOption : Option<IReadOnlyList<string>>
{
    private readonly bool _severalAtOnce;

    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    public TextListOption(string name, string valueName, string description, bool severalAtOnce = false)
        : base(name, valueName, description) => (Default, _severalAtOnce) = ([], severalAtOnce);

    public override bool TakesSeveral => _severalAtOnce;

    /// <summary>Most values.</summary>
    public int Most { get; init; } = 10_000;

    public override object Read(object? before, string text)
    {
        RefuseEmpty(text);
        List<string> list = before as List<string> ?? [];
        if (list.Count == Most) throw new UsageException(FormattableString.Invariant($"{Name} is given more than {Most} times."));
        list.Add(text);
        return list;
    }
}

/// <summary>A whole number within bounds.</summary>
internal sealed class NumberOption : Option<int?>
{
    private readonly int _least, _most;

    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    public NumberOption(string name, string description, int least, int most, int? byDefault = null) : base(name, "N", description) =>
        (_least, _most, Default) = (least, most, byDefault);

    public override string? DefaultText => Default?.ToString(CultureInfo.InvariantCulture);

    public override object Read(object? before, string text)
    {
        RefuseSecond(before);
        bool isNumber = int.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value);
        return isNumber && value >= _least && value <= _most
            ? value
            : throw Refused(string.Create(CultureInfo.InvariantCulture, $"a whole number from {_least} to {_most}"), text);
    }
}

/// <summary>One of a few words.</summary>
internal sealed class ChoiceOption : Option<string>
{
    private readonly string[] _words;

    /// <param name="name">Name.</param>
    /// <param name="description">Description.</param>
    /// <param name="words">The words; the first one is the default.</param>
    [System.Diagnostics.CodeAnalysis.SetsRequiredMembers]
    public ChoiceOption(string name, string description, params string[] words) : base(name, string.Join('|', words), description) =>
        (Default, _words) = (words[0], words);

    public override string? DefaultText => Default;

    public override object Read(object? before, string text)
    {
        RefuseSecond(before);
        return _words.Contains(text, StringComparer.Ordinal)
            ? text
            : throw Refused($"{string.Join(", ", _words[..^1])} or {_words[^1]}", text);
    }
}
