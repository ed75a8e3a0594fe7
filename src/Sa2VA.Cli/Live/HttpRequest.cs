using System.Text;
using System.Text.RegularExpressions;

namespace Sa2VA.Cli.Live;

/// <summary>The head of an HTTP/1 request, as far as it matters to a server of one picture.</summary>
/// <param name="Method">GET, HEAD, ….</param>
/// <param name="Path">Path without its query.</param>
/// <param name="Host">The server as the client calls it, without the port; null if it does not say.</param>
internal sealed partial record HttpRequest(string Method, string Path, string? Host)
{
    /// <summary>Most bytes of a head.</summary>
    public const int LongestHead = 8192;

    /// <summary>Reads one. What follows the head is left.</summary>
    /// <returns>Null if it is none; too long is none as well.</returns>
    public static async Task<HttpRequest?> ReadAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] head = new byte[LongestHead];
        int length = 0, end = -1;
        while (end < 0 && length < head.Length)
        {
            int read = await stream.ReadAsync(head.AsMemory(length), cancellation).ConfigureAwait(false);
            if (read == 0) return null;
            length += read;
            end = head.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
        }
        return end < 0 ? null : Of(Encoding.Latin1.GetString(head, 0, end));
    }

    private static HttpRequest? Of(string head)
    {
        string[] lines = head.Split("\r\n");
        if (RequestLine().Match(lines[0]) is not { Success: true } line) return null;
        string? host = lines.Skip(1).FirstOrDefault(l => l.StartsWith("host:", StringComparison.OrdinalIgnoreCase))?[5..].Trim();
        if (host is not null) host = Port().Replace(host, "");
        return new HttpRequest(line.Groups[1].Value, line.Groups[2].Value, host);
    }

    [GeneratedRegex(@"^([A-Z]+) (/[^ ?]*)(?:\?[^ ]*)? HTTP/1\.[01]\z")]
    private static partial Regex RequestLine();

    [GeneratedRegex(@":[0-9]*\z")]
    private static partial Regex Port();
}
