using System.Security.Cryptography;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.State;

/// <summary>States of models whose pictures have sizes and positions of their own.</summary>
public sealed class QwenVlStateTests(QwenVlSessionTests.LoadedModels models) : IClassFixture<QwenVlSessionTests.LoadedModels>
{
    public static TheoryData<string> Kinds => QwenVlSessionTests.Kinds;

    [Theory, MemberData(nameof(Kinds))]
    public void A_conversation_goes_on(string kind)
    {
        Sa2VAModel model = models.Load(kind);
        RgbImage[] frames = [.. Shapes.Clip[..2].Select(f => PillowBicubic.Resize(f, 200, 120))];
        using VideoSession session = model.OpenVideo(frames);
        session.Ask("Where is [SEG]?", new AskOptions { MaxNewTokens = 6 });
        session.Next(frames[0]);
        byte[] state = States.Of(session).ToArray();
        using VideoSession restored = model.RestoreVideo(new MemoryStream(state));
        Assert.Equal(Prints(session), Prints(restored));

        // The first two rows of the picture in each other's place.
        byte[] rows = [.. BitConverter.GetBytes(-1), .. BitConverter.GetBytes(-2)];
        int at = state.AsSpan().IndexOf(rows);
        Assert.True(at > 0);
        ((byte[])[.. rows[4..], .. rows[..4]]).CopyTo(state, at);
        SHA256.HashData(state.AsSpan(0, state.Length - 32)).CopyTo(state.AsSpan(state.Length - 32));
        Assert.Contains("not in order", Assert.Throws<StateException>(() => model.RestoreVideo(new MemoryStream(state))).Message,
            StringComparison.Ordinal);

        IEnumerable<string> Prints(VideoSession s)
        {
            yield return Shapes.Fingerprint(s.Ask("And [SEG]?", new AskOptions { FollowUp = true, MaxNewTokens = 6 }));
            foreach (ObjectMask o in s.Next(frames[1]).Objects) yield return Shapes.Fingerprint(o);
        }
    }
}
