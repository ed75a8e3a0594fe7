using System.Collections.Frozen;
using System.Globalization;

namespace Sa2VA.Cuda;

/// <summary>What an assembler said of this package's kernels when they were built (<c>kernels/resources.txt</c>).</summary>
public static class KernelResources
{
    private static readonly Lazy<FrozenDictionary<(string Kernel, int Capability), int>> Recorded = new(Read);

    /// <summary>Registers of a thread; null for a kernel or a compute capability that was not recorded.</summary>
    /// <param name="kernel">Name of the kernel.</param>
    /// <param name="capability">Compute capability times ten: 80, 86, 89 or 90.</param>
    public static int? Registers(string kernel, int capability) =>
        Recorded.Value.TryGetValue((kernel, capability), out int registers) ? registers : null;

    private static FrozenDictionary<(string, int), int> Read()
    {
        using Stream stream = typeof(KernelResources).Assembly.GetManifestResourceStream("resources.txt")
            ?? throw new InvalidOperationException("The package lacks resources.txt.");
        using var reader = new StreamReader(stream);
        var found = new Dictionary<(string, int), int>();
        // family/kernel sm_80 24 sm_86 24 … shared 64
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#')) continue;
            string[] words = line.Split(' ');
            string kernel = words[0][(words[0].IndexOf('/') + 1)..];
            for (int n = 1; n + 1 < words.Length; n += 2)
                if (words[n].StartsWith("sm_", StringComparison.Ordinal))
                    found[(kernel, Number(words[n][3..].TrimEnd('a')))] = Number(words[n + 1]);
        }
        return found.ToFrozenDictionary();
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
