using System.Diagnostics;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Devices;
using Sa2VA.Cli.Doctor;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Verification.SelfTest;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va doctor</c>: what there is to compute on, and whether it computes what it should.</summary>
internal static class DoctorCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var device = new DeviceFlags();
        var json = new Flag(CommonOptions.Json, "JSON lines: the driver, the GPUs, the checks, how the kernels were loaded.");
        var record = new TextOption("--record", "FILE",
            "Also write what a GPU gave in each check to this file (.safetensors), with the stamps of the kernels.");
        return new CliCommand("doctor",
            "Shows the driver, the GPUs and how kernels are loaded, and checks each kernel of a device against float64, in every precision "
            + "unless one is given (int8, int4: what they have besides bf16): exit 0 if the device can be used, 2 with the reason if not.",
            "sa2va doctor", "sa2va doctor --device cuda:1 --json", "sa2va doctor --device virtual:rtx4090",
            "sa2va doctor --device cuda --record card.safetensors")
        {
            Accepts = [.. device.All, json, record],
            Run = values =>
            {
                IDoctorOutput output = values.GetValue(json) ? new DoctorJson(terminal) : new DoctorText(terminal);
                output.Found(device.Gpus(values));
                Examine(terminal, output, device.Choices(values), values.GetValue(record));
                return Task.FromResult(ExitCode.Success);
            },
        };
    }

    /// <summary>Checks a device in each precision that is to be examined.</summary>
    /// <param name="terminal">Progress and cancellation.</param>
    /// <param name="output">Is told.</param>
    /// <param name="choices">The device in each precision.</param>
    /// <param name="record">The file to record results in, or null.</param>
    /// <exception cref="DeviceException">A check failed; all are told before.</exception>
    /// <exception cref="UsageException">There is nothing to record: the device is no GPU.</exception>
    internal static void Examine(
        Terminal terminal, IDoctorOutput output, IReadOnlyList<DeviceChoice> choices, string? record = null)
    {
        KernelRecording? recording = record is null ? null : Recording(choices[0].Device);
        int total = choices.Sum(c => KernelSelfTest.Count(c.Device.Precision));
        long start = Stopwatch.GetTimestamp();
        List<DoctorCheck> checks = [];
        var kernels = new HashSet<LoadedKernels>();
        output.Chosen(choices[0]);
        foreach (DeviceChoice choice in choices)
        {
            using IBackend backend = choice.ForChecks().Device.Open();
            foreach (KernelCheck check in KernelSelfTest.Run(backend, terminal.Cancellation))
            {
                checks.Add(new DoctorCheck(check, backend.Precision));
                output.Checked(checks[^1]);
                if (backend is CudaBackend asked)
                    recording?.Add(backend.Precision, check, asked.TakeAskedKernels().ToDictionary(k => k.Family, k => k.Hash));
                terminal.Progress.Count("Checking kernels", "checks", checks.Count, total);
            }
            if (backend is CudaBackend gpu) kernels.UnionWith(gpu.Kernels);
        }
        output.Loaded([.. kernels.OrderBy(k => k.Family, StringComparer.Ordinal)]);
        output.End(checks, Stopwatch.GetElapsedTime(start).TotalSeconds);
        recording?.Write(record!, terminal.Cancellation);
        DoctorCheck[] failed = [.. checks.Where(c => c.Check.Problem is not null)];
        if (failed.Length > 0)
            throw new DeviceException(FormattableString.Invariant(
                $"{choices[0].Device.Description} cannot be used: {failed.Length} of {checks.Count} checks failed, ")
                + $"the first of {failed[0]}.");
    }

    private static KernelRecording Recording(Device device)
    {
        if (device is not CudaDevice gpu)
            throw new UsageException("--record is for the results of a GPU: give --device cuda, or virtual to see what it writes.");
        CudaAvailability found = gpu.Availability;
        CudaDeviceInfo info = found.Devices[gpu.Index];
        return new KernelRecording(new RecordedDevice(info.Name, info.Capability, found.DriverVersion, DateTimeOffset.UtcNow));
    }
}
