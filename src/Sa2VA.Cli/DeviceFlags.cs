using System.CommandLine;
using Sa2VA.Cli.Arguments;
using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Cli;

/// <summary>The options that say where and how to compute; a command makes its own.</summary>
internal sealed class DeviceFlags
{
    private const int MostThreads = 256;

    private readonly ChoiceOption _device = new("--device", "Where to compute.", "auto", "cpu");
    private readonly NumberOption _threads = ThreadsOption();
    private readonly ChoiceOption _precision = PrecisionOption();

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_device, _threads, _precision];

    /// <summary>Threads, for a command that chooses the device itself.</summary>
    public static NumberOption ThreadsOption() => new("--threads", "Threads; 0 is one per processor.", 0, MostThreads, 0);

    /// <summary>How numbers are stored, for a command that chooses the device itself.</summary>
    public static ChoiceOption PrecisionOption() => new("--precision",
        "How numbers are stored: f32, or bf16 where 16 bits suffice (less memory, and what a GPU computes).", "f32", "bf16");

    /// <summary>What was chosen.</summary>
    public Device Of(ParseResult values) => values.GetValue(_device) switch
    {
        "auto" or "cpu" => new CpuDevice { Threads = values.GetValue(_threads), Precision = PrecisionOf(values, _precision) },
        var name => throw new DeviceException($"There is no device '{name}'; auto and cpu are supported."),
    };

    /// <summary>The precision that was chosen.</summary>
    public static Precision PrecisionOf(ParseResult values, ChoiceOption precision) =>
        values.GetValue(precision) == "bf16" ? Precision.BFloat16 : Precision.Float32;
}
