using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>A small checkpoint of a family, which every clone can make.</summary>
internal static class SmallCheckpoint
{
    /// <summary>An embedding that serves as head, too.</summary>
    public const string Tied = "tied";

    /// <summary>A family's folder of fixtures, or <see cref="Tied"/>.</summary>
    public static string[] Names { get; } = ["sa2va-tiny-shapes", "internvl-internlm2", "internvl-qwen2", "qwen2_5-vl", "qwen3-vl", Tied];

    /// <summary>Its folder: the fixture's, or what is made in a folder: computed weights beside the fixture's tokenizer.</summary>
    public static string Of(string name, ScratchFolder folder)
    {
        string fixture = Fixtures.Model(name == Tied ? "sa2va-tiny-shapes" : name);
        if (name != Tied && Directory.EnumerateFiles(fixture, "*.safetensors").Any()) return fixture;
        string to = folder.At("original");
        Sa2VAConfig config = Sa2VAConfig.Read(fixture);
        if (name == Tied) config = config with { Language = config.Language with { TiedEmbeddings = true } };
        Synthesizer.Write(config, to, null, ShardWriter.ShardBytes, null, TestContext.Current.CancellationToken);
        foreach (string file in Directory.EnumerateFiles(fixture))
            if (Path.GetExtension(file) != ".safetensors" && !File.Exists(Path.Combine(to, Path.GetFileName(file))))
                File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        return to;
    }
}
