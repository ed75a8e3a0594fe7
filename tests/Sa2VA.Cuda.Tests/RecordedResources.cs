namespace Sa2VA.Tests;

/// <summary>What <c>kernels/resources.txt</c> says of a kernel.</summary>
/// <param name="Registers">Of a thread, by architecture.</param>
/// <param name="SharedBytes">Of a block, without what a launch adds.</param>
/// <param name="MainLoop">Instructions of <see cref="Sa2VA.Tests.MainLoop"/> by kind, on the first of the architectures.</param>
internal sealed record RecordedResources(IReadOnlyDictionary<string, int> Registers, int SharedBytes, string MainLoop)
{
    /// <summary>By family and name, in order.</summary>
    public static IReadOnlyDictionary<string, RecordedResources> All { get; } = KernelFiles.Text("resources.txt")
        .Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#')
        .Select(line => line.Split(' ')).ToDictionary(words => words[0], Parse);

    /// <summary>The assembler's own name of its version.</summary>
    public static string Assembler { get; } = KernelFiles.Text("resources.txt").Split('\n')[1][2..];

    // sm_80 24 sm_86 24 … shared 64 loop 55 global 4 other 51
    private static RecordedResources Parse(string[] words)
    {
        Dictionary<string, int> numbers = [];
        int loop = Array.IndexOf(words, "loop");
        for (int i = 1; i < loop; i += 2) numbers.Add(words[i], int.Parse(words[i + 1]));
        numbers.Remove("shared", out int shared);
        return new RecordedResources(numbers, shared, string.Join(' ', words[loop..]));
    }
}
