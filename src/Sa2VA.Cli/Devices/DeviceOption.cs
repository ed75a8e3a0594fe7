using System.Globalization;
using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli.Devices;

/// <summary>Kinds of devices.</summary>
internal enum DeviceKind
{
    /// <summary>A GPU where one can be used, else the processor.</summary>
    Auto,
    /// <summary>The processor.</summary>
    Cpu,
    /// <summary>An NVIDIA GPU.</summary>
    Cuda,
    /// <summary>A GPU that is simulated on the processor.</summary>
    Virtual,
}

/// <summary>What --device says.</summary>
/// <param name="Kind">Which kind.</param>
/// <param name="Index">Which GPU, from 0.</param>
/// <param name="Card">Which card a virtual GPU is like, by its name in <see cref="VirtualCards"/>.</param>
/// <param name="IsChecked">Whether a virtual GPU looks for all that it can find.</param>
internal readonly record struct DeviceName(DeviceKind Kind, int Index = 0, string? Card = null, bool IsChecked = true)
{
    /// <summary>As it is given; help shows the default so.</summary>
    public override string ToString() => Kind switch
    {
        DeviceKind.Auto => "auto",
        DeviceKind.Cpu => "cpu",
        DeviceKind.Cuda => string.Create(CultureInfo.InvariantCulture, $"cuda:{Index}"),
        _ => IsChecked ? $"virtual:{Card}" : $"virtual:{Card}{DeviceOption.Unchecked}",
    };
}

/// <summary><c>--device</c>.</summary>
internal sealed class DeviceOption : ValueOption<DeviceName>
{
    // More than any machine has.
    private const int MostGpus = 1024;

    /// <summary>Behind a virtual GPU's card: without its costly checks.</summary>
    internal const string Unchecked = ":unchecked";

    public DeviceOption() : base("--device", "auto|cpu|cuda[:N]|virtual[:CARD[:unchecked]]",
        "Where to compute: auto is a GPU if one can be used, else the CPU; cuda:N is GPU N, from 0; "
        + $"virtual is a simulated GPU for checking kernels, like a card of {string.Join(", ", VirtualCards.Names)}; "
        + "unchecked runs large shapes in less time.") =>
        DefaultValueFactory = _ => default;

    private protected override DeviceName Read(string[] given)
    {
        string text = One(given);
        string[] parts = text.Split(':', 2);
        return (parts[0], parts.ElementAtOrDefault(1)) switch
        {
            ("auto", null) => new DeviceName(DeviceKind.Auto),
            ("cpu", null) => new DeviceName(DeviceKind.Cpu),
            ("cuda", null) => new DeviceName(DeviceKind.Cuda),
            ("cuda", { } n) when int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out int i) && i < MostGpus =>
                new DeviceName(DeviceKind.Cuda, i),
            ("virtual", null) => new DeviceName(DeviceKind.Virtual, Card: VirtualCards.Names[0]),
            ("virtual", { } card) when VirtualCards.Names.Contains(card) => new DeviceName(DeviceKind.Virtual, Card: card),
            ("virtual", { } card) when card.EndsWith(Unchecked, StringComparison.Ordinal)
                && card[..^Unchecked.Length] is var name && VirtualCards.Names.Contains(name) =>
                new DeviceName(DeviceKind.Virtual, Card: name, IsChecked: false),
            _ => throw Refused(
                "auto, cpu, cuda, cuda:N, virtual, virtual:CARD or virtual:CARD:unchecked "
                + $"(a card of {string.Join(", ", VirtualCards.Names)})", text),
        };
    }
}
