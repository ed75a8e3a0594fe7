using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>
/// What a check on the device found, in the words of the op that asked for it. Kernels know a site's number; the host has the sentence.
/// </summary>
internal sealed class CheckSites
{
    private readonly Lock _lock = new();
    private readonly List<Func<CheckFinding, string>?> _sentences = [];

    /// <summary>Takes a number.</summary>
    public int Add(Func<CheckFinding, string> sentence)
    {
        lock (_lock)
        {
            int free = _sentences.IndexOf(null);
            if (free < 0)
            {
                _sentences.Add(sentence);
                return _sentences.Count - 1;
            }
            _sentences[free] = sentence;
            return free;
        }
    }

    /// <summary>Gives a number back.</summary>
    public void Remove(int site)
    {
        lock (_lock) _sentences[site] = null;
    }

    /// <summary>The error of a finding.</summary>
    public GraphException ErrorOf(CheckFinding finding)
    {
        lock (_lock)
        {
            return new GraphException((uint)finding.Site < (uint)_sentences.Count && _sentences[finding.Site] is { } sentence
                ? sentence(finding)
                : $"A check of a plan that is gone found {finding.Value} at {finding.Place}.");
        }
    }
}

/// <summary>What <c>kernels/common/tensor.cuh</c> calls a Fault: the record of a check that failed.</summary>
/// <param name="Code">0 while nothing failed; else what the kernel says failed.</param>
/// <param name="Site">Which check.</param>
/// <param name="Position">The run that failed, by its position in the queue.</param>
/// <param name="Value">The value that does not fit.</param>
/// <param name="Place">Where it stands.</param>
/// <param name="Other">What else the sentence needs.</param>
internal readonly record struct CheckFinding(int Code, int Site, long Position, int Value, int Place, int Other);
