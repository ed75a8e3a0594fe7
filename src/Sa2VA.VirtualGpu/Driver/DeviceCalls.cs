using System.Text;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of devices, versions and errors.</summary>
public sealed unsafe partial class VirtualDriver
{
    private void AddDeviceCalls()
    {
        Add<TakesFlags>("cuInit", _ => Call("cuInit", () =>
        {
            if (devices.Length == 0) throw new DriverException(DriverResult.NoDevice, "there are no devices");
            initialised = true;
        }, needsInit: false));
        Add<GivesNumber>("cuDriverGetVersion", version => Call("cuDriverGetVersion", () =>
        {
            NotNull(version, "the version");
            *version = Options.Version;
        }, needsInit: false));
        Add<GivesText>("cuGetErrorName", (code, text) => Text("cuGetErrorName", text, DriverTexts.Name((DriverResult)code)));
        Add<GivesText>("cuGetErrorString", (code, text) => Text("cuGetErrorString", text, Described((DriverResult)code)));
        Add<GivesNumber>("cuDeviceGetCount", count => Call("cuDeviceGetCount", () =>
        {
            NotNull(count, "the count");
            *count = devices.Length;
        }));
        Add<GivesDevice>("cuDeviceGet", (device, ordinal) => Call("cuDeviceGet", () =>
        {
            NotNull(device, "the device");
            *device = Device(ordinal).Ordinal;
        }));
        Add<GivesDeviceName>("cuDeviceGetName", (name, length, device) => Call("cuDeviceGetName", () =>
        {
            NotNull(name, "the name");
            if (length < 1) throw Invalid("the name has no room");
            Put(Device(device).Kind.Name, name, length);
        }));
        Add<GivesAttribute>("cuDeviceGetAttribute", (value, attribute, device) => Call("cuDeviceGetAttribute", () =>
        {
            NotNull(value, "the value");
            *value = Device(device).Attribute(attribute) ?? throw Invalid($"device attribute {attribute} is not known");
        }));
        Add<GivesSize>("cuDeviceTotalMem_v2", (bytes, device) => Call("cuDeviceTotalMem_v2", () =>
        {
            NotNull(bytes, "the size");
            *bytes = (nuint)Device(device).MemoryBytes;
        }));
    }

    private DriverDevice Device(int ordinal) => (uint)ordinal < (uint)devices.Length
        ? devices[ordinal]
        : throw new DriverException(DriverResult.InvalidDevice, $"there is no device {ordinal}, there are {devices.Length}");

    private static int Text(string name, byte** text, nint found)
    {
        if (text == null) return (int)DriverResult.InvalidValue;
        *text = (byte*)found;
        return (int)(found == 0 ? DriverResult.InvalidValue : DriverResult.Success);
    }

    /// <summary>The full message if it is the code of this thread's last failure and that was one worth telling.</summary>
    private nint Described(DriverResult code)
    {
        lock (gate)
        {
            if (disposed || thread.Value!.LastError is not { TellsCaller: true } error || error.Result != code)
                return DriverTexts.Text(code);
            string message = $"{DriverTexts.Described(code)}: {error.Message}";
            if (!messages.TryGetValue(message, out nint copy)) messages[message] = copy = DriverTexts.Copy(message);
            return copy;
        }
    }

    /// <summary>Writes a string of C, cut to its room.</summary>
    /// <returns>Its bytes without the zero.</returns>
    private static int Put(string text, byte* to, int room)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int n = Math.Min(bytes.Length, room - 1);
        bytes.AsSpan(0, n).CopyTo(new Span<byte>(to, n));
        to[n] = 0;
        return n;
    }
}
