using System.CommandLine;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Devices;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Cli;

/// <summary>The options that say where and how to compute; a command makes its own.</summary>
internal sealed class DeviceFlags
{
    private const int MostThreads = 256;

    private readonly DeviceOption _device = new();
    private readonly NumberOption _threads = new("--threads", "Threads; 0 is one per processor.", 0, MostThreads, 0);
    private readonly ChoiceOption _precision = new("--precision",
        "How numbers are stored: f32; bf16 where 16 bits suffice (less memory, and what a GPU computes); "
        + "int8 or int4, which is bf16 with the language model's weights in so many bits. A quantised checkpoint's own is taken by itself.",
        [.. Enum.GetValues<Precision>().Select(p => p.Name())]);

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_device, _threads, _precision];

    /// <summary>What was chosen.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="notes">Told what there is to say about the choice.</param>
    /// <param name="model">What is to run on it; null where that is not known yet.</param>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    public Device Of(ParseResult values, HeldNotes notes, ModelChoice? model)
    {
        DeviceChoice choice = Choice(values, model);
        if (choice.Note is { } note) notes.Add(note);
        return choice.Device;
    }

    /// <summary>What was chosen, and what there is to say about it.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="model">What is to run on it; null for what has no precision of its own.</param>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    public DeviceChoice Choice(ParseResult values, ModelChoice? model = null) => Choice(values, PrecisionOf(values, model));

    /// <summary>What was chosen, in the precision that was given, else in each.</summary>
    /// <param name="values">The command line.</param>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    public IReadOnlyList<DeviceChoice> Choices(ParseResult values) => ArgumentReader.Has(values, _precision)
        ? [Choice(values, PrecisionOf(values, null))] : [.. Enum.GetValues<Precision>().Select(p => Choice(values, p))];

    /// <summary>The kind of device that was asked for.</summary>
    public DeviceKind Kind(ParseResult values) => values.GetValue(_device).Kind;

    /// <summary>The GPUs that there are: this machine's, or the virtual one that was chosen.</summary>
    public CudaAvailability Gpus(ParseResult values) => values.GetValue(_device) is { Kind: DeviceKind.Virtual, Card: { } card } name
        ? CudaAvailability.Find(VirtualCards.Driver(card, values.GetValue(_threads), name.IsChecked)) : CudaAvailability.Find();

    /// <summary>The virtual GPU that was chosen, with modelled times; null for any other device.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="model">What is to run on it; null for what has no precision of its own.</param>
    public (CudaDevice Device, ModelledDevice Times)? Modelled(ParseResult values, ModelChoice? model) =>
        values.GetValue(_device) is { Kind: DeviceKind.Virtual, Card: { } card }
            ? VirtualCards.Modelled(card, values.GetValue(_threads), PrecisionOf(values, model)) : null;

    /// <summary>What was chosen, for one of several checkpoints: in the precision that it is stored for, unless one was given.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="notes">Told if it is not the usual precision.</param>
    /// <param name="usual">What was chosen for checkpoints of any precision.</param>
    /// <param name="stored">The precision that its weights are stored for; null for any.</param>
    public Device In(ParseResult values, HeldNotes notes, Device usual, Precision? stored)
    {
        if (stored is not { } own || own == usual.Precision || ArgumentReader.Has(values, _precision)) return usual;
        notes.Add($"Weights that are stored in {own.Name()} are computed with in {own.Name()}, and held to what bf16 is.");
        return Choice(values, own).Device;
    }

    private Precision PrecisionOf(ParseResult values, ModelChoice? model) =>
        (ArgumentReader.Has(values, _precision) ? null : model?.StoredPrecision())
        ?? Enum.GetValues<Precision>().Single(p => p.Name() == values.GetValue(_precision));

    private DeviceChoice Choice(ParseResult values, Precision precision)
    {
        DeviceName name = values.GetValue(_device);
        if (name.Kind == DeviceKind.Cuda && ArgumentReader.Has(values, _threads))
            throw new UsageException("--threads is for the CPU and for virtual GPUs; it does nothing with --device cuda.");
        return DeviceChoice.Of(name, values.GetValue(_threads), precision);
    }
}
