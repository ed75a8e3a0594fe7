namespace Sa2VA.Tests;

/// <summary>
/// Modelled times of every kernel on <see cref="LaunchCases"/>, from which <c>scripts/kernel-facts</c> writes the tables of docs/kernels:
/// the committed ones are those of the model and the kernels as they are.
/// </summary>
public sealed class ModelledLaunchTests
{
    private const string File = "modelled-cases.txt";

    [Fact]
    public void The_committed_times_are_those_of_the_model()
    {
        Assert.SkipUnless(FullRun.IsAsked, "./test --full models every kernel on four cards, which takes a minute");
        string committed = Path.Combine(Fixtures.Repository, "benchmarks", "results", File);
        string modelled = $"{string.Join('\n', ModelledLaunches.Lines())}\n";
        if (System.IO.File.Exists(committed) && System.IO.File.ReadAllText(committed) == modelled) return;
        string now = Path.Combine(AppContext.BaseDirectory, File);
        System.IO.File.WriteAllText(now, modelled);
        Assert.Fail($"Other times than in {committed}: copy {now} there and run scripts/kernel-facts.");
    }
}
