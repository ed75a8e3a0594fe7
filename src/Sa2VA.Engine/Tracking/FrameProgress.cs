using System.Runtime.ExceptionServices;
using Sa2VA.Core;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// How far a frame is: the share of the floating-point operations of its encoder and its trackers. What is small beside them, such as
/// decoding a prompted object, is not counted. Warm, telling allocates nothing.
/// <para>What <paramref name="report"/> throws fails the frame, not the queue: others of the model wait for that too.</para>
/// </summary>
/// <param name="report">Told shares that grow, above 0 and below 1, on the queues' threads.</param>
internal sealed class FrameProgress(Action<double> report)
{
    private double _enqueued, _all, _told;
    private ExceptionDispatchInfo? _failure;

    /// <summary>True while nobody is to be told: the frame is not the one that is due.</summary>
    public bool IsQuiet { get; set; }

    /// <summary>A frame begins.</summary>
    public void Begin() => (_enqueued, _all, _told, _failure) = (0, 0, 0, null);

    /// <summary>Once all that was enqueued of the frame is done: throws what the one who was told of it threw, if he did.</summary>
    public void ThrowIfFailed() => _failure?.Throw();

    /// <summary>One plan's part in a frame.</summary>
    public sealed class Part
    {
        private readonly FrameProgress _frame;
        private readonly Action<double> _tell;
        private double _before, _size;

        public Part(FrameProgress frame) => (_frame, _tell) = (frame, Tell);

        /// <summary>The plan is about to be enqueued.</summary>
        /// <param name="plan">With its numbers.</param>
        /// <param name="runs">How many runs of about that size the frame has from here on.</param>
        public void Enqueue(BoundPlan plan, int runs = 1)
        {
            plan.Progress = _tell;
            _before = _frame._enqueued;
            _size = plan.Graph.Flops(plan.Numbers);
            _frame._enqueued += _size;
            _frame._all = Math.Max(_frame._all, _before + _size * runs);
        }

        private void Tell(double share) => _frame.Tell(_before + share * _size);
    }

    private void Tell(double done)
    {
        double share = done / _all;
        if (IsQuiet || _failure is not null || share <= _told) return;
        _told = share;
        try
        {
            report(share);
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
    }
}
