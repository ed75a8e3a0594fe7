namespace Sa2VA.VirtualGpu.Ptx;

/// <summary>A type suffix of PTX.</summary>
internal enum DataType
{
    Pred, B8, B16, B32, B64, U8, U16, U32, U64, S8, S16, S32, S64, F16, F16X2, BF16, BF16X2, F32, F64,
}

internal static class DataTypes
{
    private static readonly Dictionary<string, DataType> Names =
        Enum.GetValues<DataType>().ToDictionary(t => t.ToString().ToLowerInvariant());

    public static bool TryParse(string name, out DataType type) => Names.TryGetValue(name, out type);

    extension(DataType type)
    {
        /// <summary>Size of a value in memory; a predicate has none and counts as 1.</summary>
        public int Bytes => type switch
        {
            DataType.Pred or DataType.B8 or DataType.U8 or DataType.S8 => 1,
            DataType.B16 or DataType.U16 or DataType.S16 or DataType.F16 or DataType.BF16 => 2,
            DataType.B64 or DataType.U64 or DataType.S64 or DataType.F64 => 8,
            _ => 4,
        };

        public bool IsSigned => type is DataType.S8 or DataType.S16 or DataType.S32 or DataType.S64;

        public bool IsFloat => type >= DataType.F16;

        /// <summary>Signed or unsigned integer, no bare bits.</summary>
        public bool IsInteger => type is >= DataType.U8 and <= DataType.S64;

        public string Suffix => "." + type.ToString().ToLowerInvariant();
    }
}
