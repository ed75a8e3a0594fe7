using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// Golden files that are damaged in their meaning: whatever a stage is given, it answers with a verdict or a typed error.
/// </summary>
public sealed class HostileGoldenTests
{
    /// <summary>One file of each stage.</summary>
    public static TheoryData<string> Files()
    {
        var data = new TheoryData<string>();
        var stages = new HashSet<string>();
        foreach (string folder in (string[])["ops", "internvl-internlm2"])
        {
            if (!Fixtures.Exists("goldens", folder)) continue;
            foreach (string path in Directory.EnumerateFiles(Fixtures.Path("goldens", folder), "*.safetensors")
                .Order(StringComparer.Ordinal))
            {
                using var golden = new GoldenFile(path);
                if (stages.Add(golden.Stage)) data.Add(folder + "/" + Path.GetFileName(path));
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Damage_gives_a_verdict_or_a_typed_error(string file)
    {
        string path = Fixtures.Path(["goldens", .. file.Split('/')]), models = Fixtures.Model("internvl-internlm2");
        using TestGolden whole = TestGolden.CopyOf(path);
        // One for all: whatever a damaged file did, the next is judged as if nothing had been.
        using var verifier = new Verifier(new VerifierOptions { ModelFolder = models });
        foreach (string tensor in whole.Names.Where(n => !n.StartsWith("out.", StringComparison.Ordinal)))
        {
            Try(tensor, g => g.Remove(tensor));
            Try(tensor, g => g.Reshape(tensor, flat: true));
            Try(tensor, g => g.Reshape(tensor, flat: false));
            Try(tensor, g => g.Retype(tensor));
        }
        foreach ((string key, JsonNode? value) in JsonNode.Parse(whole.Metadata["params"])!.AsObject())
            foreach (string other in (string[])["0", "-1", "1", "3", "65536", "1000003", "1e300", "true", "\"text\"", "null", "[]", "[5]",
                "[-7, 9]", "{}"])
                Try($"{key} = {other}", g =>
                {
                    JsonObject damaged = JsonNode.Parse(g.Metadata["params"])!.AsObject();
                    damaged[key] = JsonNode.Parse(other);
                    g.Metadata["params"] = damaged.ToJsonString();
                });
        Try("no prefix", g => g.Metadata["prefix"] = "nowhere.");

        void Try(string what, Action<TestGolden> damage)
        {
            using TestGolden golden = TestGolden.CopyOf(path);
            damage(golden);
            try
            {
                verifier.Verify(golden.Save(), TestContext.Current.CancellationToken);
            }
            catch (Sa2VAException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"{what}: {e}");
            }
        }
    }
}
