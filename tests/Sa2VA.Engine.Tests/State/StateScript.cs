using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.State;

/// <summary>
/// A life of a video session, the same for the same seed: frames of several sizes, questions, objects that join by words, clicks, boxes and
/// masks, corrections, objects that leave. Between any two steps the session may be another one.
/// </summary>
internal sealed class StateScript
{
    private static readonly string[] Questions = ["Please segment the red circle.", "Please segment the blue star.",
        "Please segment the yellow triangle.", "Please describe the video content."];

    /// <summary>What a session must be opened with.</summary>
    public static VideoOptions Options { get; } = new() { KeepFrames = 3 };

    private readonly List<Func<VideoSession, string>> _steps = [];
    private readonly List<int> _following = [];
    private readonly Random _random;
    private int _numbered, _touched = -1, _width, _height;
    private bool _answered;

    /// <param name="seed">Of everything that is drawn.</param>
    /// <param name="frames">Frames that are pushed.</param>
    public StateScript(int seed, int frames)
    {
        _random = new Random(seed);
        for (int t = 0; t < frames; t++)
        {
            if (t is 14 or 30) Show(latest: t == 14);
            if (t is 0 or 9 or 31 || t > 12 && _random.Next(8) == 0) Ask();
            Push(Shapes.Clip[t % Shapes.Clip.Length], shrink: t % 20 >= 16);
            for (int events = _random.Next(5) - 1; events > 0; events--) Touch();
        }
    }

    /// <summary>Steps.</summary>
    public int Count => _steps.Count;

    /// <summary>Does a step.</summary>
    /// <returns>All that came of it, to the last bit.</returns>
    public string Do(int step, VideoSession session) => _steps[step](session);

    private void Ask()
    {
        string question = Questions[_random.Next(Questions.Length)];
        var options = new AskOptions { FollowUp = _answered && _random.Next(2) == 0, Logits = _random.Next(3) == 0, MaxNewTokens = 24 };
        _answered = true;
        // How many objects an answer names is known when it is there.
        _steps.Add(session =>
        {
            Answer answer = session.Ask(question, options);
            return Shapes.Fingerprint(answer);
        });
        if (question == Questions[^1]) return;
        _following.Add(_numbered++);
    }

    private void Show(bool latest)
    {
        _answered = false;
        RgbImage[] frames = Shapes.Clip[20..24];
        _steps.Add(session =>
        {
            if (latest) return $"{session.ShowLatest(3)} shown";
            session.ShowFrames(frames);
            return string.Join(" ", session.RecentFrames(2).Select(f => Shapes.Hash(f.Pixels)));
        });
    }

    private void Push(RgbImage frame, bool shrink)
    {
        RgbImage image = shrink ? PillowBicubic.Resize(frame, frame.Width * 3 / 4, frame.Height - 9) : frame;
        (_width, _height) = (image.Width, image.Height);
        _steps.Add(session => Print(session.Next(image)));
    }

    private void Touch()
    {
        VisualPrompt prompt = Prompt();
        int what = _following.Count == 0 ? 0 : _random.Next(6);
        if (what == 0 && _following.Count < 5)
        {
            _following.Add(_numbered++);
            _steps.Add(session =>
            {
                int id = session.Follow(prompt, out FrameMasks masks);
                return $"{id} {Print(masks)}";
            });
            return;
        }
        // Often one that was touched just now, by another click: its points count together.
        bool again = _following.Contains(_touched) && _random.Next(2) == 0;
        int followed = again ? _touched : _following[_random.Next(_following.Count)];
        _touched = followed;
        if (again) prompt = new VisualPrompt(new Click(_random.Next(_width), _random.Next(_height), Inside: false));
        if (what == 1 && _following.Count > 2)
        {
            _following.Remove(followed);
            _steps.Add(session =>
            {
                session.Remove(followed);
                return "removed";
            });
        }
        else _steps.Add(session => Print(session.Correct(followed, prompt)));
    }

    private VisualPrompt Prompt()
    {
        float x = _random.Next(_width - 30), y = _random.Next(_height - 30);
        switch (_random.Next(5))
        {
            case 0: return new VisualPrompt([new Click(x + 9, y + 9)], new Box(x, y, x + 28, y + 25));
            case 1:
                var pixels = new byte[_width * _height];
                pixels.AsSpan(_width * (int)y, _width * 20).Fill(1);
                return new VisualPrompt(new Mask(_width, _height, pixels));
            case 2: return new VisualPrompt([new Click(x, y), new Click(y % _width, x % _height, Inside: false)]) { Anew = true };
            default: return new VisualPrompt(new Click(x, y, Inside: _random.Next(3) > 0));
        }
    }

    private static string Print(FrameMasks masks) =>
        $"{masks.Frame}: " + string.Join("; ", masks.Objects.Select(o => $"{o.Id} {Shapes.Fingerprint(o)}"));
}
