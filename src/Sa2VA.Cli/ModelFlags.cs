using System.CommandLine;
using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli;

/// <summary>The options that choose a checkpoint; a command makes its own.</summary>
internal sealed class ModelFlags
{
    private readonly TextOption _models = new("--models", "DIR",
        "Where checkpoints that are given by name are looked for, before the Hugging Face cache.");

    private readonly TextOption? _tracker;

    /// <param name="description">What the checkpoint is for; null for the usual.</param>
    /// <param name="required">False if the command can do without.</param>
    /// <param name="tracks">True if the command follows objects.</param>
    public ModelFlags(string? description = null, bool required = true, bool tracks = false)
    {
        if (tracks)
        {
            _tracker = new("--tracker-weights", "FILE|DIR",
                "Original SAM 2 weights (sam2_hiera_large as safetensors, Meta's names), whose decoder follows what words have found.");
        }
        Model = new("--model", "DIR|NAME", description ?? "Folder of a checkpoint (config.json, tokenizer files, safetensors), or the name "
            + "of one that is in the Hugging Face cache or in --models, such as ByteDance/Sa2VA-4B.") { Required = required };
    }

    /// <summary>Folder or name.</summary>
    public TextOption Model { get; }

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => _tracker is null ? [Model, _models] : [Model, _models, _tracker];

    /// <summary>What was chosen; null for nothing.</summary>
    public ModelChoice? TryOf(ParseResult values)
    {
        string? models = values.GetValue(_models);
        if (values.GetValue(Model) is { } given) return new ModelChoice(given, models);
        return models is null ? null : throw new UsageException("--models belongs to --model NAME.");
    }

    /// <summary>What was chosen.</summary>
    public ModelChoice Of(ParseResult values) => new(values.GetRequiredValue(Model), values.GetValue(_models),
        _tracker is null ? null : values.GetValue(_tracker));
}
