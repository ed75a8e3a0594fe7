using Sa2VA.Engine;

namespace Sa2VA.Extensions;

/// <summary>What <see cref="Sa2VAServices.AddSa2VA(Microsoft.Extensions.DependencyInjection.IServiceCollection, Core.Device,
/// Action{Sa2VAOptions})"/> loads, and how.</summary>
public sealed class Sa2VAOptions
{
    /// <summary>The checkpoint's folder: config.json, tokenizer files, safetensors.</summary>
    public string Folder { get; set; } = "";

    /// <summary>
    /// True to load the model while the host starts, which fails if that fails; false, the default, when it is first asked for.
    /// </summary>
    public bool LoadAtStart { get; set; }

    /// <summary>As <see cref="ModelOptions.MemoryBudget"/>, in bytes; 0 for no limit but what a GPU has free.</summary>
    public long MemoryBudget { get; set; }

    /// <summary>As <see cref="ModelOptions.MaxTokens"/>; 0 for the usual.</summary>
    public int MaxTokens { get; set; }

    /// <summary>As <see cref="ModelOptions.ResizeOnce"/>.</summary>
    public bool ResizeOnce { get; set; }

    /// <summary>As <see cref="ModelOptions.TrackerWeights"/>: a file or folder, or null for the checkpoint's own.</summary>
    public string? TrackerWeights { get; set; }

    /// <summary>Most conversations that the chat client keeps for the next message; 0 for none.</summary>
    public int KeptConversations { get; set; } = Sa2VAChatClient.DefaultKeptConversations;
}
