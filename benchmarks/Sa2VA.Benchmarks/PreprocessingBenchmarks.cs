using Sa2VA.Models;
using BenchmarkDotNet.Attributes;
using Sa2VA.Engine;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Benchmarks;

/// <summary>Resizing a photograph as Pillow does.</summary>
public class PillowBicubicBenchmarks
{
    private readonly byte[] _photo = new byte[1920 * 1080 * 3];
    private RgbImage _image = null!;

    /// <summary>Fills the photograph.</summary>
    [GlobalSetup]
    public void Setup()
    {
        new Random(1).NextBytes(_photo);
        _image = new RgbImage(1920, 1080, _photo);
    }

    /// <summary>To a frame of the image encoder.</summary>
    [Benchmark(Description = "1920×1080 → 1024×1024")]
    public RgbImage Frame() => PillowBicubic.Resize(_image, 1024, 1024);

    /// <summary>To two tiles of the vision tower.</summary>
    [Benchmark(Description = "1920×1080 → 896×448")]
    public RgbImage Tiles() => PillowBicubic.Resize(_image, 896, 448);
}

/// <summary>Text to token ids with the bundled model's Qwen2 tokenizer.</summary>
public class TokenizerBenchmarks
{
    private readonly string _text = string.Concat(Enumerable.Repeat(
        "<image>\nCould you please segment the red circle and the blue star, left of 12 others? Ja, größer! 请分割红色的圆。 ", 100));
    private Tokenizer _tokenizer = null!;

    /// <summary>Loads the tokenizer.</summary>
    [GlobalSetup]
    public void Setup()
    {
        string? at = AppContext.BaseDirectory;
        while (at is not null && !Directory.Exists(Path.Combine(at, "samples", "models"))) at = Path.GetDirectoryName(at);
        if (at is null) throw new DirectoryNotFoundException("Run this inside the repository.");
        _tokenizer = Tokenizer.Load(Path.Combine(at, "samples", "models", "sa2va-tiny-shapes"));
    }

    /// <summary>A long prompt.</summary>
    [Benchmark(Description = "encode 11,000 characters")]
    public int[] Encode() => _tokenizer.Encode(_text);
}
