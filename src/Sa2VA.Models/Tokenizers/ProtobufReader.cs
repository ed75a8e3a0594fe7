using System.Buffers.Binary;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// Walks the fields of one protocol-buffer message, enough for a SentencePiece file. A length beyond the end or an unknown wire type gives
/// <see cref="InvalidDataException"/>; nothing is allocated.
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>The number of the current field.</summary>
    public int Field { get; private set; }

    /// <summary>The value of a field that is a number, a truth value or an enumeration; 0 for other kinds.</summary>
    public ulong Number { get; private set; }

    /// <summary>The value of a field that is text, bytes or a message; empty for other kinds.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>The value of a 32-bit floating-point field; 0 for other kinds.</summary>
    public float Float { get; private set; }

    /// <summary>Goes to the next field; false at the end.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        Number = 0;
        Bytes = default;
        Float = 0;
        ulong tag = Varint();
        if (tag >> 3 is 0 or > int.MaxValue) throw new InvalidDataException("a field has no valid number");
        Field = (int)(tag >> 3);
        switch (tag & 7)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Bytes = Take(Varint());
                break;
            case 5:
                Float = BinaryPrimitives.ReadSingleLittleEndian(Take(4));
                break;
            default:
                throw new InvalidDataException($"field {Field} has the unknown wire type {tag & 7}");
        }

        return true;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            byte b = Take(1)[0];
            value |= (ulong)(b & 127) << shift;
            if (b < 128) return value;
        }

        throw new InvalidDataException("a number has more than ten bytes");
    }

    private ReadOnlySpan<byte> Take(ulong count)
    {
        if (count > (ulong)_rest.Length) throw new InvalidDataException("the file ends inside a field");
        ReadOnlySpan<byte> taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
