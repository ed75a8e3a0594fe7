using System.Globalization;
using Sa2VA.Cli.Devices;
using Sa2VA.Cuda;
using Sa2VA.Verification.SelfTest;
using Spectre.Console;

namespace Sa2VA.Cli.Doctor;

/// <summary>The findings as text: lines, and a table of the ops.</summary>
internal sealed class DoctorText(Terminal terminal) : IDoctorOutput
{
    public void Found(CudaAvailability gpus)
    {
        terminal.WriteLine(gpus.Source is null ? $"Driver: none, {gpus.Reason}"
            : FormattableString.Invariant($"Driver: {gpus.Source}, CUDA {gpus.DriverVersion / 1000}.{gpus.DriverVersion % 1000 / 10}"));
        if (gpus is { Source: not null, Devices.Count: 0 }) terminal.WriteLine($"GPUs: none, {gpus.Reason}");
        for (int i = 0; i < gpus.Devices.Count; i++)
        {
            CudaDeviceInfo gpu = gpus.Devices[i];
            terminal.WriteLine(FormattableString.Invariant(
                $"GPU {i}: {gpu.Name}, compute capability {gpu.Capability / 10}.{gpu.Capability % 10}, ")
                + FormattableString.Invariant($"{gpu.Multiprocessors} multiprocessors, {gpu.MemoryBytes / 1e9:0.0} GB, ")
                + (gpu.Unusable is { } reason ? $"cannot be used: {reason}" : "can be used"));
        }
    }

    public void Chosen(DeviceChoice choice) =>
        terminal.WriteLine($"Device: {choice.Device.Name}, {choice.Device.Description}{(choice.Note is { } note ? $". {note}" : "")}");

    public void Checked(DoctorCheck check)
    {
        if (check.Check.Problem is not null) terminal.WriteLine($"Wrong: {Quoted.Line(check.ToString())}");
    }

    public void Loaded(IReadOnlyList<LoadedKernels> kernels)
    {
        foreach (IGrouping<bool, LoadedKernels> form in kernels.GroupBy(k => k.IsPtx).OrderBy(f => f.Key))
            terminal.WriteLine($"Kernels {(form.Key ? "compiled from PTX by the driver" : "as machine code")}, "
                + $"{Plural.Of(form.Count(), "family", "families")}: {string.Join(", ", form.Select(k => k.Family))}");
    }

    public void End(IReadOnlyList<DoctorCheck> checks, double seconds)
    {
        string[] precisions = [.. checks.Select(c => c.PrecisionName).Distinct()];
        var table = new Table().Border(TableBorder.Simple).AddColumn("largest error, of what is allowed");
        table.AddColumn(new TableColumn("checks").RightAligned());
        foreach (string precision in precisions) table.AddColumn(new TableColumn(precision).RightAligned());
        foreach (IGrouping<string, DoctorCheck> op in checks.GroupBy(c => c.Check.Op))
            table.AddRow([new Text(op.Key), new Text(op.Count().ToString(CultureInfo.InvariantCulture)),
                .. precisions.Select(p => new Text(Verdict([.. op.Where(c => c.PrecisionName == p).Select(c => c.Check)])))]);
        terminal.Styled.Write(table);
        if (checks.All(c => c.Check.Problem is null))
            terminal.WriteLine(
                FormattableString.Invariant($"All {checks.Count} checks passed in {seconds:0.0} s: this device can be used."));
    }

    private static string Verdict(KernelCheck[] checks) => checks.Length == 0 ? ""
        : checks.Count(c => c.Problem is not null) is > 0 and int wrong
        ? FormattableString.Invariant($"{wrong} wrong")
        : checks.Max(c => c.Share) is > 0 and double share ? share.ToString("0 %", CultureInfo.InvariantCulture) : "exact";
}
