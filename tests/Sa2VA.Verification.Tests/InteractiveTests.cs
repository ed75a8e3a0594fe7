using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// Every recorded session with clicks, boxes, masks and language that is present: results, memories, and what was attended to.
/// </summary>
public sealed class InteractiveTests
{
    /// <summary>
    /// Sessions in which a remembered mask has a pixel whose recorded logit is so near to zero that float32 may put it on either side.
    /// </summary>
    private static readonly string[] Ties = ["internvl-qwen2-phi3/interactive-back.safetensors"];

    public static TheoryData<string> Sessions() =>
        [.. from model in (string[])["internvl-qwen2-phi3", "sa2va-tiny-shapes"]
            where Fixtures.Exists("interactive", model)
            from file in Directory.GetFiles(Fixtures.Path("interactive", model), "*.safetensors").Order(StringComparer.Ordinal)
            select model + "/" + Path.GetFileName(file)];

    [Theory]
    [MemberData(nameof(Sessions))]
    public void Is_replayed_as_recorded(string session)
    {
        string file = Fixtures.Path(["interactive", .. session.Split('/')]);
        using var verifier = new Verifier();
        StageResult result = verifier.Verify(file, TestContext.Current.CancellationToken);
        Assert.All(result.Checks, c => Assert.True(c.Passed, $"{c.Name}: {c.Problem ?? $"{c.MaxError} of {c.MaxAllowed}"}"));
        Assert.Equal(Ties.Contains(session), result.Ties > 0);
        Assert.Contains(result.Checks, c => c.Name == "records");
    }
}
