namespace Sa2VA.Tests;

/// <summary>Tests that measure the whole process run one at a time, after all others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class MeasuredCollection
{
    public const string Name = "measured";
}
