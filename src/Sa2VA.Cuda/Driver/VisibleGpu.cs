namespace Sa2VA.Cuda.Driver;

/// <summary>
/// An NVIDIA GPU that Linux knows of without NVIDIA's library: on a machine where that is missing, somebody may mean it all the same.
/// </summary>
internal static class VisibleGpu
{
    /// <summary>Looks at this machine.</summary>
    /// <returns>Where it is seen, or null; always null on other systems than Linux.</returns>
    public static string? Find() => OperatingSystem.IsLinux() ? Find("/dev", "/sys/bus/pci/devices") : null;

    /// <summary>Looks in folders that are laid out as Linux has them.</summary>
    /// <param name="devices">As /dev: nvidia0 is the first GPU that NVIDIA's kernel module runs.</param>
    /// <param name="pci">As /sys/bus/pci/devices: a folder a device, with its numbers in files.</param>
    public static string? Find(string devices, string pci)
    {
        string node = Path.Combine(devices, "nvidia0");
        if (File.Exists(node)) return node;
        if (!Directory.Exists(pci)) return null;
        foreach (string device in Directory.EnumerateDirectories(pci, "*", new EnumerationOptions()).Order(StringComparer.Ordinal))
        {
            // Class 03 is that of displays: 0300 with a screen, 0302 without. A card's sound and USB are other devices of the same vendor.
            if (Line(device, "vendor") == "0x10de" && Line(device, "class").StartsWith("0x03", StringComparison.Ordinal))
                return $"PCI device {Path.GetFileName(device)}";
        }
        return null;
    }

    private static string Line(string device, string name)
    {
        string file = Path.Combine(device, name);
        try
        {
            return File.Exists(file) ? File.ReadAllText(file).Trim().ToLowerInvariant() : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
