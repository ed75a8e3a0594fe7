using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class ConcatKernel : Kernel
{
    private const int MostParts = 16, WordBytes = 16;

    private readonly Concat _op;
    private readonly Tensor[] _parts, _lengths;
    private readonly CudaFunction? _concat, _concatWords, _check;
    private readonly int[] _sites;

    public ConcatKernel(Concat op, PlanContext context)
    {
        (_op, _parts, _lengths) = (op, [.. op.Parts], [.. op.Lengths]);
        if (_parts.Length > MostParts)
            throw new DeviceException($"{op.Name}: {_parts.Length} parts; the CUDA backend puts at most {MostParts} together at once.");
        _concat = context.Function("concat", "concat");
        _concatWords = context.Function("concat", "concat_words");
        _check = context.Function("concat", "check_segment_lengths");
        _sites = [.. _lengths.Select((l, i) => l.Kind == TensorKind.List ? -1 : context.CheckSite(f => f.Code == 1
            ? $"{op.Name}: a segment has {f.Value} rows of part {i}."
            : $"{op.Name}: the segments have {(long)f.Place << 32 | (uint)f.Value} rows of part {i}, which has {f.Other}."))];
    }

    public override void Launch(LaunchContext c)
    {
        View y = c.View(_op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            Parts = _parts.Length,
            Segments = _op.Segments,
        };
        for (int i = 0; i < _parts.Length; i++) arguments.AllParts[i] = c.View(_parts[i]);
        for (int i = 0; i < _lengths.Length; i++)
        {
            View part = arguments.AllParts[i], lengths = arguments.AllLengths[i] = c.View(_lengths[i]);
            if (_sites[i] < 0) continue;
            var check = new LengthsArguments { Run = c.Run, Part = part, Lengths = lengths, Site = _sites[i] };
            _check!.Launch(c.Stream, new Grid(1), 32, 0, check);
        }
        for (int i = 0; i < _parts.Length; i++)
        {
            (arguments.Index, arguments.Part, arguments.Lengths) = (i, arguments.AllParts[i], arguments.AllLengths[i]);
            bool isOfWords = arguments.Part.Type == y.Type && IsOfWords(arguments.Part) && IsOfWords(y);
            arguments.Y = isOfWords ? InWords(y) : y;
            if (isOfWords) arguments.Part = InWords(arguments.Part);
            (arguments.Share, Grid grid) = Share.Of(_parts[i].Shape.Rows, arguments.Y.Columns);
            (isOfWords ? _concatWords : _concat)!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
        }
    }

    /// <summary>True if rows begin at words of 16 bytes and consist of whole ones.</summary>
    private static bool IsOfWords(in View view) =>
        view.Data % WordBytes == 0 && (view.RowStride | view.Columns) % (WordBytes / view.Type.Size()) == 0;

    private static View InWords(View view)
    {
        int elements = WordBytes / (int)view.Type.Size();
        return view with { Columns = view.Columns / elements, RowStride = view.RowStride / elements };
    }

    /// <summary>ConcatArguments of <c>kernels/concat.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Y;
        public Share Share;
        public int Parts, Segments, Index;
        public View Part, Lengths;
        public Views AllParts, AllLengths;
    }

    /// <summary>SegmentLengthsArguments of <c>kernels/concat.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LengthsArguments
    {
        public RunArguments Run;
        public View Part, Lengths;
        public int Site;
    }

    [InlineArray(MostParts)]
    private struct Views
    {
        private View _first;
    }
}
