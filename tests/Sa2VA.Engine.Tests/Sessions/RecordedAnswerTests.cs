using Sa2VA.Engine;
using Sa2VA.Verification;

namespace Sa2VA.Tests.Sessions;

/// <summary>The answers that upstream's own code gave for the trained checkpoint (docs/model/verification.md#recorded-answers).</summary>
public sealed class RecordedAnswerTests
{
    public static TheoryData<string> Names => [.. Shapes.CaseNames];

    [Theory, MemberData(nameof(Names))]
    public void Is_upstreams(string name)
    {
        PredictResult result = PredictResult.Run(Shapes.Case(name), Shapes.Model);
        Assert.True(result.Passed, $"{name}: text {result.TextEqual}, ids {result.IdsEqual}, IoU ≥ {result.LowestIou}, {result.Mismatch}");
    }
}
