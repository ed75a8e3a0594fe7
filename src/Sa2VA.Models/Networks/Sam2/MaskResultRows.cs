using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Where the mask decoder's results stand in an object's row: logits first, so that masks are made of the rows as they are. All F32.
/// </summary>
internal sealed class MaskColumns
{
    /// <param name="config">Sizes.</param>
    public MaskColumns(GroundingConfig config)
    {
        int side = config.ImageSize / 4;
        LowCount = side * side;
        (IouLogits, Ious, Selected, ObjectLogit, Pointer) = (LowCount, LowCount + 4, LowCount + 8, LowCount + 9, LowCount + 10);
        PointerCount = config.DModel;
        // Rows begin on cache lines of their own.
        Width = (Pointer + PointerCount + 15) & ~15;
    }

    /// <summary>Logits, from column 0 on.</summary>
    public int LowCount { get; }

    /// <summary>First of four columns.</summary>
    public int IouLogits { get; }

    /// <summary>First of four columns.</summary>
    public int Ious { get; }

    /// <summary>One column.</summary>
    public int Selected { get; }

    /// <summary>One column.</summary>
    public int ObjectLogit { get; }

    /// <summary>First column of the pointer.</summary>
    public int Pointer { get; }

    /// <summary>Columns of the pointer.</summary>
    public int PointerCount { get; }

    /// <summary>Columns of a row.</summary>
    public int Width { get; }
}

/// <summary>Results of several objects, written into the rows that a list names.</summary>
internal sealed class MaskResultRows
{
    public MaskResultRows(GraphBuilder g, GroundingConfig config, DecodedMask mask, ObjectBatch objects)
    {
        var columns = new MaskColumns(config);
        Results = g.State("results", DType.F32, new Shape(objects.Capacity, columns.Width));
        Rows = g.List("result_rows", new Shape(objects.Capacity), new IndexRange(-1, objects.Capacity), objects.Count);
        Tensor selected = g.Reshape(mask.Selected, new Shape(objects.Capacity, 1), objects.Count);
        Write(0, mask.Low);
        Write(columns.IouLogits, mask.IouLogits);
        Write(columns.Ious, mask.Ious);
        Write(columns.Selected, g.Copy(selected, DType.F32));
        Write(columns.ObjectLogit, mask.ObjectLogit);
        Write(columns.Pointer, mask.Pointer);

        void Write(int column, Tensor value) => g.WriteRows(g.SliceChannels(Results, column, value.Shape.Last), value, Rows);
    }

    /// <summary>As many rows as there can be objects [rows, <see cref="MaskColumns.Width"/>].</summary>
    public Tensor Results { get; }

    /// <summary>Row of each object, I32 [objects].</summary>
    public Tensor Rows { get; }
}
