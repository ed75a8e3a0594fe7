namespace Sa2VA.Tests.Sessions;

/// <summary>Progress that a test is told at once, on the reporting thread.</summary>
internal sealed class Reports<T>(Action<T> report) : IProgress<T>
{
    public void Report(T value) => report(value);
}
