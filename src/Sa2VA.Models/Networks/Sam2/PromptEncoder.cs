using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>What a point prompt says about its pixel.</summary>
internal enum PointLabel
{
    /// <summary>No point: a row that only fills a place.</summary>
    Padding = -1,
    /// <summary>Not part of the object.</summary>
    Negative = 0,
    /// <summary>Part of the object.</summary>
    Positive = 1,
    /// <summary>The box's top-left corner.</summary>
    BoxTopLeft = 2,
    /// <summary>The box's bottom-right corner.</summary>
    BoxBottomRight = 3,
}

/// <summary>A point prompt in pixels of the S×S network input.</summary>
internal readonly record struct PointPrompt(float X, float Y, PointLabel Label);

/// <summary>
/// The prompt encoder (docs/model/mask-decoder.md#prompt-encoder). Points become a few sparse rows, computed here: they differ from prompt
/// to prompt and cost nothing. A mask prompt becomes a dense map, which is a graph.
/// </summary>
internal sealed class PromptEncoder
{
    private const float Epsilon = 1e-6f;
    private readonly FourierPosition _position;
    private readonly Weight _padding;
    private readonly Lazy<float[]> _notAPoint;
    private readonly Lazy<float[]>[] _labels;
    private readonly int _imageSize, _width;

    /// <param name="w">The weights below <c>sam_prompt_encoder</c>.</param>
    /// <param name="config">Sizes.</param>
    public PromptEncoder(WeightScope w, GroundingConfig config)
    {
        (_imageSize, _width) = (config.ImageSize, config.DModel);
        _position = new FourierPosition(w.At("pe_layer"), _width);
        _padding = w.Get("not_a_point_embed.weight", 1, _width);
        _notAPoint = new Lazy<float[]>(_padding.ReadValues);
        _labels = new Lazy<float[]>[4];
        for (int i = 0; i < _labels.Length; i++)
            _labels[i] = new Lazy<float[]>(w.At("point_embeddings").At(i).Get("weight", 1, _width).ReadValues);
    }

    /// <summary>Sparse rows that <see cref="EncodeSparse"/> writes.</summary>
    /// <param name="points">Number of points.</param>
    /// <param name="language">True when a [SEG] vector is appended.</param>
    public static int SparseRows(int points, bool language) => Math.Max(points, 1) + 1 + (language ? 1 : 0);

    /// <summary>
    /// Writes the sparse prompt: the points (one padding row if there are none), the padding row that upstream always appends, then the
    /// language vector, which carries no code of its own.
    /// </summary>
    /// <param name="points">Points; a box is its two corners, placed first.</param>
    /// <param name="seg">Language vector [D], or empty.</param>
    /// <param name="rows">[<see cref="SparseRows"/>, D].</param>
    public void EncodeSparse(ReadOnlySpan<PointPrompt> points, ReadOnlySpan<float> seg, Span<float> rows)
    {
        foreach (PointPrompt point in points)
        {
            EncodePoint(point, rows[.._width]);
            rows = rows[_width..];
        }
        if (points.Length == 0)
        {
            _notAPoint.Value.CopyTo(rows);
            rows = rows[_width..];
        }
        _notAPoint.Value.CopyTo(rows);
        seg.CopyTo(rows[_width..]);
    }

    /// <summary>The position code of the G×G feature map: a constant [G², D].</summary>
    public Tensor ImagePosition(GraphBuilder g, int grid) => _position.Grid(g, grid);

    /// <summary>The sparse prompt without points and language, as tracked frames have it: a constant [2, D].</summary>
    public Tensor EmptySparse(GraphBuilder g) => g.Constant("two padding points", new Shape(2, _width), to =>
    {
        _notAPoint.Value.CopyTo(to);
        _notAPoint.Value.CopyTo(to[_width..]);
    }, _padding);

    /// <summary>Records mask logits [4G, 4G, 1] → dense prompt [G, G, D].</summary>
    public static Tensor Dense(GraphBuilder g, Tensor mask, WeightScope w, int width)
    {
        WeightScope layers = w.At("mask_downscaling");
        Tensor x = g.LayerNorm(g.Conv2d(mask, layers.At(0), 4, kernel: 2, stride: 2, padding: 0), layers.At(1), Epsilon, Activation.Gelu);
        x = g.LayerNorm(g.Conv2d(x, layers.At(3), 16, kernel: 2, stride: 2, padding: 0), layers.At(4), Epsilon, Activation.Gelu);
        return g.Pointwise(x, layers.At(6), width);
    }

    /// <summary>The dense prompt where no mask is given: one row [1, D] that stands for every place of the map.</summary>
    public static Tensor NoMask(GraphBuilder g, WeightScope w, int width) => g.Constant(w.Get("no_mask_embed.weight", 1, width));

    private void EncodePoint(PointPrompt point, Span<float> row)
    {
        if (point.Label == PointLabel.Padding)
        {
            _notAPoint.Value.CopyTo(row);
            return;
        }
        if ((uint)point.Label >= (uint)_labels.Length)
            throw new PromptException(
                $"A point's label is −1 (padding), 0 (negative), 1 (positive), 2 or 3 (box corners), not {(int)point.Label}.");
        if (!float.IsFinite(point.X) || !float.IsFinite(point.Y))
            throw new PromptException($"A point's coordinates are finite pixel positions, not ({point.X}, {point.Y}).");
        _position.Encode((point.X + 0.5f) / _imageSize, (point.Y + 0.5f) / _imageSize, row);
        float[] label = _labels[(int)point.Label].Value;
        for (int c = 0; c < row.Length; c++) row[c] += label[c];
    }
}
