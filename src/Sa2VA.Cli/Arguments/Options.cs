using System.CommandLine;
using System.Globalization;

namespace Sa2VA.Cli.Arguments;

/// <summary>A switch.</summary>
internal sealed class Flag : Option<bool>
{
    public Flag(string name, string description) : base(name)
    {
        Description = description;
        // Twice the same is the same.
        CustomParser = result =>
        {
            if (result.Tokens.Count > 0) result.AddError($"{name} is a switch; it takes no value.");
            return true;
        };
    }
}

/// <summary>An option with a value. The library collects what was given; what is right and what is said of the rest is told here.</summary>
internal abstract class ValueOption<T> : Option<T>
{
    /// <param name="name">Such as <c>--image</c>.</param>
    /// <param name="valueName">What help calls the value.</param>
    /// <param name="description">One sentence for help.</param>
    protected ValueOption(string name, string valueName, string description) : base(name)
    {
        (HelpName, Description, Arity) = (valueName, description, ArgumentArity.ZeroOrMore);
        CustomParser = result =>
        {
            try
            {
                return Read([.. result.Tokens.Select(t => t.Value)]);
            }
            catch (UsageException e)
            {
                result.AddError(e.Message);
                return default!;
            }
        };
    }

    /// <summary>Reads what was given, one value or more.</summary>
    /// <exception cref="UsageException">It cannot be used; the message says what can.</exception>
    private protected abstract T Read(string[] given);

    private protected string One(string[] given) =>
        given.Length == 1 ? given[0] : throw new UsageException($"{Name} is given twice; give it once.");

    // What was no UTF-8 arrives with U+FFFD in its place.
    private protected string NotEmpty(string text) =>
        string.IsNullOrWhiteSpace(text) ? throw new UsageException($"{Name} is empty; it takes {HelpName}: {Description}")
        : text.Contains('\uFFFD') ? throw new UsageException($"{Name} {Quoted.Of(text)} is not valid UTF-8 (or holds U+FFFD).")
        : text;

    private protected UsageException Refused(string takes, string text) => new($"{Name} takes {takes}, not {Quoted.Of(text)}.");
}

/// <summary>A text, a file or a folder.</summary>
internal sealed class TextOption(string name, string valueName, string description) : ValueOption<string>(name, valueName, description)
{
    private protected override string Read(string[] given)
    {
        string text = NotEmpty(One(given));
        return text.Contains('\0') ? throw Refused("text without NUL characters", text) : text;
    }
}

/// <summary>What a command is done to: a text that is given without an option's name.</summary>
internal sealed class TextArgument : Argument<string>
{
    /// <param name="name">What help calls it.</param>
    /// <param name="description">One sentence for help.</param>
    public TextArgument(string name, string description) : base(name)
    {
        // That it is missing is told with what else is.
        (Description, Arity) = (description, ArgumentArity.ZeroOrOne);
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (string.IsNullOrWhiteSpace(text)) result.AddError($"{name} is empty: {description}");
            else if (text.Contains('\0') || text.Contains('\uFFFD')) result.AddError($"{name} {Quoted.Of(text)} is not valid UTF-8.");
            return text;
        };
    }
}

/// <summary>Texts; the option may be given several times.</summary>
internal sealed class TextListOption(string name, string valueName, string description)
    : ValueOption<string[]>(name, valueName, description)
{
    private const int Most = 10_000;

    private protected override string[] Read(string[] given) => given.Length <= Most
        ? Array.ConvertAll(given, NotEmpty)
        : throw new UsageException(FormattableString.Invariant($"{Name} is given more than {Most} times."));
}

/// <summary>A whole number within bounds; 0 if it is not given and has no default.</summary>
internal sealed class NumberOption : ValueOption<int>
{
    private readonly int _least, _most;

    public NumberOption(string name, string description, int least, int most, int? byDefault = null) : base(name, "N", description)
    {
        (_least, _most) = (least, most);
        if (byDefault is { } value) DefaultValueFactory = _ => value;
    }

    private protected override int Read(string[] given)
    {
        string text = One(given);
        bool isNumber = int.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value);
        return isNumber && value >= _least && value <= _most
            ? value
            : throw Refused(string.Create(CultureInfo.InvariantCulture, $"a whole number from {_least} to {_most}"), text);
    }
}

/// <summary>A number within bounds, whole or not; 0 if it is not given.</summary>
internal sealed class DecimalOption(string name, string description, float least, float most)
    : ValueOption<float>(name, string.Create(CultureInfo.InvariantCulture, $"{least}…{most}"), description)
{
    private protected override float Read(string[] given)
    {
        string text = One(given);
        bool isNumber = float.TryParse(text.Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out float value);
        return isNumber && value >= least && value <= most ? value
            : throw Refused(string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}, such as 0.5"), text);
    }
}

/// <summary>One of a few words.</summary>
internal sealed class ChoiceOption : ValueOption<string>
{
    private readonly string[] _words;

    /// <param name="name">Name.</param>
    /// <param name="description">Description.</param>
    /// <param name="words">The words; the first one is the default.</param>
    public ChoiceOption(string name, string description, params string[] words) : base(name, string.Join('|', words), description) =>
        (_words, DefaultValueFactory) = (words, _ => words[0]);

    private protected override string Read(string[] given)
    {
        string text = One(given);
        return _words.Contains(text, StringComparer.Ordinal)
            ? text
            : throw Refused($"{string.Join(", ", _words[..^1])} or {_words[^1]}", text);
    }
}

/// <summary>Some of a few words, with commas between them or by giving the option several times; null if it is not given.</summary>
internal sealed class WordListOption(string name, string description, string[] words)
    : ValueOption<string[]>(name, string.Join('|', words), description)
{
    private protected override string[] Read(string[] given) =>
        [.. given.SelectMany(text => NotEmpty(text).Split(',', StringSplitOptions.TrimEntries)).Select(One).Distinct()];

    private string One(string word) => words.Contains(word, StringComparer.Ordinal)
        ? word
        : throw Refused($"{string.Join(", ", words[..^1])} or {words[^1]}", word);
}
