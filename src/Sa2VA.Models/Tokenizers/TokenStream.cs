using System.Buffers;
using System.Text;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// Turns ids into text one at a time: each call gives all text that no later id can change, an unfinished UTF-8 sequence is kept back.
/// What <see cref="Append"/> and <see cref="Flush"/> give adds up to <see cref="Tokenizer.Decode"/> of the same ids.
/// </summary>
public sealed class TokenStream
{
    private readonly Tokenizer _tokenizer;
    private readonly List<byte> _pending = [];
    private readonly StringBuilder _text = new();
    private bool _atRunStart = true;

    internal TokenStream(Tokenizer tokenizer) => _tokenizer = tokenizer;

    /// <summary>Adds an id and gives the text that it completes, which may be empty. An id without a token stands for no text.</summary>
    public string Append(int id)
    {
        if (_tokenizer.Added.TryGetContent(id, out string content))
        {
            Drain(final: true);
            _text.Append(content);
            _atRunStart = true;
        }
        else
        {
            ReadOnlySpan<byte> bytes = _tokenizer.TokenBytes(id);
            if (bytes.Length > 0 && _atRunStart)
            {
                if (_tokenizer.DropsLeadingSpace && bytes[0] == ' ') bytes = bytes[1..];
                _atRunStart = false;
            }

            _pending.AddRange(bytes);
            Drain(final: false);
        }

        return Take();
    }

    /// <summary>
    /// Ends the stream: gives the replacement characters for bytes that were kept back, and makes the stream ready for another text.
    /// </summary>
    public string Flush()
    {
        Drain(final: true);
        _atRunStart = true;
        return Take();
    }

    private void Drain(bool final)
    {
        ReadOnlySpan<byte> bytes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_pending);
        Span<char> units = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            OperationStatus status = Rune.DecodeFromUtf8(bytes, out Rune rune, out int consumed);
            if (status == OperationStatus.NeedMoreData && !final) break;
            if (status != OperationStatus.Done && _tokenizer.ReplacesEachByte) consumed = 1;
            _text.Append(units[..rune.EncodeToUtf16(units)]);
            bytes = bytes[consumed..];
        }

        _pending.RemoveRange(0, _pending.Count - bytes.Length);
    }

    private string Take()
    {
        string taken = _text.ToString();
        _text.Clear();
        return taken;
    }
}
