using System.Text.Json;
using Sa2VA.Cli.Devices;
using Sa2VA.Cuda;

namespace Sa2VA.Cli.Doctor;

/// <summary>The findings as JSON lines (docs/json-lines.md).</summary>
internal sealed class DoctorJson(Terminal terminal) : IDoctorOutput
{
    private readonly JsonLines _lines = new(terminal.Out);

    public void Found(CudaAvailability gpus)
    {
        _lines.Write("driver", json =>
        {
            json.WriteString("source", gpus.Source);
            json.WriteNumber("version", gpus.DriverVersion);
            json.WriteString("reason", gpus.Reason);
        });
        for (int i = 0; i < gpus.Devices.Count; i++)
        {
            (int index, CudaDeviceInfo gpu) = (i, gpus.Devices[i]);
            _lines.Write("gpu", json =>
            {
                json.WriteNumber("index", index);
                json.WriteString("name", gpu.Name);
                json.WriteNumber("capability", gpu.Capability);
                json.WriteNumber("multiprocessors", gpu.Multiprocessors);
                json.WriteNumber("memory_bytes", gpu.MemoryBytes);
                json.WriteString("unusable", gpu.Unusable);
            });
        }
    }

    public void Chosen(DeviceChoice choice) => _lines.Write("device", json =>
    {
        json.WriteString("device", choice.Device.Name);
        json.WriteString("description", choice.Device.Description);
        json.WriteString("note", choice.Note);
    });

    public void Checked(DoctorCheck check)
    {
        terminal.Progress.Clear();
        _lines.Write("check", json =>
        {
            json.WriteString("op", check.Check.Op);
            json.WriteString("what", check.Check.What);
            json.WriteString("precision", check.PrecisionName);
            JsonLines.Number(json, "share", Math.Round(check.Check.Share, 4));
            json.WriteString("problem", check.Check.Problem);
        });
    }

    public void Loaded(IReadOnlyList<LoadedKernels> kernels)
    {
        terminal.Progress.Clear();
        _lines.Write("kernels", json =>
        {
            foreach ((string name, bool isPtx) in ((string, bool)[])[("machine_code", false), ("ptx", true)])
            {
                json.WriteStartArray(name);
                foreach (LoadedKernels family in kernels.Where(k => k.IsPtx == isPtx)) json.WriteStringValue(family.Family);
                json.WriteEndArray();
            }
        });
    }

    public void End(IReadOnlyList<DoctorCheck> checks, double seconds) => _lines.Write("end", json =>
    {
        json.WriteNumber("checks", checks.Count);
        json.WriteNumber("failed", checks.Count(c => c.Check.Problem is not null));
        json.WriteNumber("seconds", Math.Round(seconds, 4));
    });
}
