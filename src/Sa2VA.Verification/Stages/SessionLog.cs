using Sa2VA.Core;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>What the replay of a session gives, row by row, beside what was recorded.</summary>
internal sealed class SessionLog
{
    private const int MaxEvents = 256, MaxRows = 4096, MaxFrames = 1024, MaxObjects = 64;
    private static readonly string[] Kinds = ["prompt", "prompt", "mask", "track"];
    private readonly StageContext _c;
    private readonly int _side, _width, _memorySize;
    private readonly List<float> _low = [], _ious = [], _logits = [], _pointers = [], _memories = [];
    private readonly List<long> _selected = [];
    private readonly List<string> _records = [], _remembered = [], _kept = [];
    private readonly Dictionary<(int Object, int Frame), int> _rows = [];
    private readonly List<int?> _binaryRows = [];

    public SessionLog(StageContext c, OfflineTracking tracking)
    {
        GroundingConfig config = c.Config.Grounding;
        (_c, _side, _width) = (c, config.ImageSize / 4, config.DModel);
        _memorySize = _side * _side / 16 * config.MemDim;
        tracking.Found += result => Add(result, tracking.Prediction);
        tracking.Remembered += Add;
        tracking.Kept += (id, frame) => _kept.Add(FormattableString.Invariant($"[{Event}, {frame}, {id}]"));
    }

    /// <summary>Index of the event that is replayed.</summary>
    public int Event { get; set; }

    public StageOutputs Outputs()
    {
        ConfigFields p = _c.Golden.Params;
        int rows = _selected.Count, memories = _remembered.Count, dim = _c.Config.Grounding.MemDim;
        bool[] comparable = [.. _binaryRows.Select(row => row is not { } r || !FellOtherwise(r))];
        int ties = comparable.Count(c => !c);
        var outputs = new StageOutputs().Add("low", [.. _low], rows, _side, _side).Add("ious", [.. _ious], rows, 4)
            .Add("selected_index", [.. _selected], rows).Add("object_logit", [.. _logits], rows, 1)
            .Add("ptr", [.. _pointers], rows, _width).Add("mem", [.. _memories], comparable, memories, _memorySize / dim, dim)
            .AddCheck(Same("records", _records, p.Objects("records", MaxRows).Select(Record)))
            .AddCheck(Same("memories", _remembered, p.Objects("mem", MaxRows).Select(m => Memory(m.Int("event", 0, MaxEvents),
                m.Int("object", 0, MaxObjects), m.Int("frame", 0, MaxFrames), m.Flag("binarized", false)))))
            .AddCheck(Same("kept frames", _kept, p.NumberRows("kept", 3, MaxRows)
                .Select(k => FormattableString.Invariant($"[{k[0]}, {k[1]}, {k[2]}]"))));
        return ties == 0 ? outputs : outputs.AddCheck(TensorCheck.Tied("pixels of a remembered mask", ties));
    }

    private void Add(OfflineResult result, MaskPrediction mask)
    {
        bool given = result.Kind == OfflineKind.Mask;
        _rows[(result.Object, result.Frame)] = _selected.Count;
        _low.AddRange(mask.Low);
        _ious.AddRange(mask.Ious);
        _selected.Add(given ? -1 : mask.Selected);
        _logits.Add(mask.ObjectLogit);
        _pointers.AddRange(mask.Pointer);
        string bank = result.Kind is OfflineKind.Correction or OfflineKind.Track
            ? Bank(result.Bank.Memories.Zip(result.Bank.Times), result.Bank.Pointers)
            : "";
        _records.Add(Record(Event, Kinds[(int)result.Kind], result.Object, result.Frame, given ? null : result.Multimask, bank));
    }

    private void Add(OfflineMemory memory)
    {
        _remembered.Add(Memory(Event, memory.Object, memory.Frame, memory.Binary));
        _binaryRows.Add(memory.Binary ? _rows[(memory.Object, memory.Frame)] : null);
        var values = new float[_memorySize];
        memory.Memory.Read(memory.Frame, values);
        _memories.AddRange(values);
    }

    /// <summary>
    /// True if a mask that is remembered as it was shown has a pixel on the other side than the recorded one, whose recorded logit is
    /// nearer to zero than the tolerance of logits: its memory is another one then. Known only where the recorded logits are all there.
    /// </summary>
    private bool FellOtherwise(int row)
    {
        float[] recorded = _c.Golden.Output("low").Floats;
        int size = _side * _side, wide = 4 * _side;
        if (recorded.Length != _low.Count || (row + 1) * size > recorded.Length) return false;
        float largest = recorded.Max(MathF.Abs);
        double near = Tolerance.For(_c.Golden).Max * largest;
        float[] ours = Enlarged([.. _low.Skip(row * size).Take(size)]), theirs = Enlarged(recorded[(row * size)..((row + 1) * size)]);
        bool fell = false;
        for (int i = 0; i < wide * wide; i++)
        {
            if (ours[i] > 0 == theirs[i] > 0) continue;
            if (Math.Abs(theirs[i]) > near) return false;
            fell = true;
        }
        return fell;
    }

    /// <summary>[4G, 4G] → [S, S], bilinear, as the memory encoder does.</summary>
    private float[] Enlarged(float[] low)
    {
        int wide = 4 * _side;
        var taps = ResizeTaps.Create(_side, wide, ResizeMode.Bilinear);
        var large = new float[wide * wide];
        for (int y = 0; y < wide; y++)
            for (int x = 0; x < wide; x++)
                large[y * wide + x] = taps.Weight[2 * y] * Across(taps.Index[2 * y], x)
                    + taps.Weight[2 * y + 1] * Across(taps.Index[2 * y + 1], x);
        return large;

        float Across(int row, int x) => taps.Weight[2 * x] * low[row * _side + taps.Index[2 * x]]
            + taps.Weight[2 * x + 1] * low[row * _side + taps.Index[2 * x + 1]];
    }

    private static string Record(ConfigFields r)
    {
        string bank = r.Object("bank") is not { } b ? "" : Bank(
            b.NumberRows("mem", 2, MaxRows).Select(m => ((long)m[0], (int)m[1])),
            b.Ints("ptr", 0, MaxFrames, 0, MaxRows, []).Select(f => (long)f));
        return Record(r.Int("event", 0, MaxEvents), r.Text("kind") ?? "", r.Int("object", 0, MaxObjects), r.Int("frame", 0, MaxFrames),
            r.Has("multimask") ? r.Flag("multimask", false) : null, bank);
    }

    private static string Record(int index, string kind, int id, int frame, bool? multimask, string bank) =>
        FormattableString.Invariant($"event {index}: {kind} of {id} on {frame}, multimask {multimask}{bank}");

    private static string Memory(int index, int id, int frame, bool binary) =>
        FormattableString.Invariant($"event {index}: {id} on {frame}, {(binary ? "binary" : "soft")}");

    // Order is the reference's own; ours is by number.
    private static string Bank(IEnumerable<(long Frame, int Time)> memories, IEnumerable<long> pointers) =>
        FormattableString.Invariant($", memories {string.Join(" ", memories.Order().Select(m => $"{m.Frame}/{m.Time}"))}, ")
        + FormattableString.Invariant($"pointers {string.Join(" ", pointers.Order())}");

    private static TensorCheck Same(string what, List<string> computed, IEnumerable<string> expected)
    {
        string[] recorded = [.. expected];
        for (int i = 0; i < Math.Max(computed.Count, recorded.Length); i++)
        {
            string ours = i < computed.Count ? computed[i] : "nothing", theirs = i < recorded.Length ? recorded[i] : "nothing";
            if (ours != theirs) return TensorCheck.Failed(what, $"row {i} is '{ours}', expected '{theirs}'");
        }
        var rows = new long[Math.Max(1, recorded.Length)];
        return TensorCheck.Compare(what, rows, rows);
    }
}
