using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sa2VA.Cli.Live;

/// <summary>
/// Shows pictures to browsers of this machine: a page at <c>/</c>, the pictures one after the other at <c>/stream</c>
/// (multipart/x-mixed-replace), the next one alone at <c>/frame.jpg</c>. A client that is slow gets the newest picture when it has taken
/// the one before; nobody waits for it.
/// </summary>
internal sealed class MjpegServer : IAsyncDisposable
{
    /// <summary>Most connections at a time; further ones are told to come back.</summary>
    internal const int MostConnections = 16;

    /// <summary>How long a client may take to ask, and to take a picture.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly string[] OwnNames = ["localhost", "127.0.0.1", "[::1]"];

    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private readonly Lock _lock = new();
    private readonly HashSet<Task> _clients = [];
    private TaskCompletionSource<byte[]> _next = NextPicture();
    private int _watchers;

    /// <summary>Begins to listen on the loopback interface alone.</summary>
    /// <param name="port">Port; 0 for any that is free.</param>
    /// <exception cref="UsageException">The port cannot be had.</exception>
    public MjpegServer(int port)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            _listener.Start();
        }
        catch (SocketException e)
        {
            throw new UsageException(FormattableString.Invariant($"Port {port} of this machine cannot be used: ")
                + (e.SocketErrorCode switch
                {
                    SocketError.AddressAlreadyInUse => "another program has it",
                    SocketError.AccessDenied => "that is not allowed",
                    _ => "the system refuses it",
                }) + "; give another with --serve, or 0 for any that is free.", e);
        }
        Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
        _accepting = AcceptAsync();
    }

    /// <summary>What to open in a browser.</summary>
    public string Address { get; }

    /// <summary>True if anybody waits for a picture.</summary>
    public bool IsWatched => Volatile.Read(ref _watchers) > 0;

    /// <summary>Shows a picture to those who wait for one.</summary>
    /// <param name="jpeg">The file.</param>
    public void Show(byte[] jpeg) => Interlocked.Exchange(ref _next, NextPicture()).SetResult(jpeg);

    /// <summary>Ends all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        Task[] clients;
        lock (_lock) clients = [.. _clients];
        await Task.WhenAll(clients).ConfigureAwait(false);
        _stop.Dispose();
    }

    private static TaskCompletionSource<byte[]> NextPicture() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
            catch (SocketException)
            {
                // A client that was gone before it was there, or too many open files: neither ends what is being tracked.
                await Task.Delay(100, CancellationToken.None).ConfigureAwait(false);
                continue;
            }
            lock (_lock)
            {
                _clients.RemoveWhere(c => c.IsCompleted);
                bool full = _clients.Count >= MostConnections;
                // One more is answered, those beyond are closed: they would have to be waited for as well.
                if (_clients.Count > MostConnections) client.Dispose();
                else _clients.Add(Task.Run(() => ServeAsync(client, full)));
            }
        }
    }

    private async Task ServeAsync(TcpClient client, bool full)
    {
        using (client)
        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token))
        {
            try
            {
                patience.CancelAfter(Patience);
                client.NoDelay = true;
                NetworkStream stream = client.GetStream();
                HttpRequest? request = await HttpRequest.ReadAsync(stream, patience.Token).ConfigureAwait(false);
                await AnswerAsync(stream, request, full, patience).ConfigureAwait(false);
                // With unread bytes of a request closing would take the answer back.
                client.Client.Shutdown(SocketShutdown.Send);
                byte[] rest = new byte[1 << 12];
                for (int i = 0; i < 16 && await stream.ReadAsync(rest, patience.Token).ConfigureAwait(false) > 0; i++) { }
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The client has gone, was too slow, or everything ends.
            }
        }
    }

    private Task AnswerAsync(Stream stream, HttpRequest? request, bool full, CancellationTokenSource patience)
    {
        CancellationToken token = patience.Token;
        if (request is null) return ReplyAsync(stream, "400 Bad Request", "This is no HTTP/1 request.", token);
        // A page from elsewhere must not see the pictures through a name that leads here.
        if (request.Host is { } host && !OwnNames.Contains(host, StringComparer.OrdinalIgnoreCase))
            return ReplyAsync(stream, "403 Forbidden", "Pictures are for this machine alone: ask 127.0.0.1.", token);
        if (request.Method is not ("GET" or "HEAD")) return ReplyAsync(stream, "405 Method Not Allowed", "Only GET is answered.", token);
        if (full) return ReplyAsync(stream, "503 Service Unavailable", "Too many are watching; try again later.", token);
        bool body = request.Method == "GET";
        return request.Path switch
        {
            "/" => ReplyAsync(stream, "200 OK", "text/html; charset=utf-8", Page, body, token),
            "/frame.jpg" => body ? PictureAsync(stream, token) : ReplyAsync(stream, "200 OK", "image/jpeg", default, body, token),
            "/stream" => StreamAsync(stream, body, patience),
            _ => ReplyAsync(stream, "404 Not Found", "There is /, /stream and /frame.jpg.", token),
        };
    }

    private static ReadOnlyMemory<byte> Page { get; } = """
        <!doctype html><title>sa2va track</title>
        <style>body{margin:0;background:#111;display:grid;place-items:center;height:100vh}img{max-width:100%;max-height:100vh}</style>
        <img src="/stream" alt="live">

        """u8.ToArray();

    private async Task PictureAsync(Stream stream, CancellationToken cancellation)
    {
        byte[] jpeg = await NextAsync(cancellation).ConfigureAwait(false);
        await ReplyAsync(stream, "200 OK", "image/jpeg", jpeg, body: true, cancellation).ConfigureAwait(false);
    }

    private async Task StreamAsync(Stream stream, bool body, CancellationTokenSource patience)
    {
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"u8.ToArray()
            .Concat("Cache-Control: no-store\r\nConnection: close\r\n\r\n--frame\r\n"u8.ToArray()).ToArray(), patience.Token)
            .ConfigureAwait(false);
        while (body)
        {
            // A source may take its time; a client may not.
            patience.CancelAfter(Timeout.InfiniteTimeSpan);
            byte[] jpeg = await NextAsync(patience.Token).ConfigureAwait(false);
            patience.CancelAfter(Patience);
            string head = string.Create(CultureInfo.InvariantCulture, $"Content-Type: image/jpeg\r\nContent-Length: {jpeg.Length}\r\n\r\n");
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head), patience.Token).ConfigureAwait(false);
            await stream.WriteAsync(jpeg, patience.Token).ConfigureAwait(false);
            // Browsers show a picture when they know that it has ended.
            await stream.WriteAsync("\r\n--frame\r\n"u8.ToArray(), patience.Token).ConfigureAwait(false);
        }
    }

    private async Task<byte[]> NextAsync(CancellationToken cancellation)
    {
        Interlocked.Increment(ref _watchers);
        try
        {
            return await Volatile.Read(ref _next).Task.WaitAsync(cancellation).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _watchers);
        }
    }

    private static Task ReplyAsync(Stream stream, string status, string text, CancellationToken cancellation) =>
        ReplyAsync(stream, status, "text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text + "\n"), body: true, cancellation);

    private static async Task ReplyAsync(Stream stream, string status, string type, ReadOnlyMemory<byte> content, bool body,
        CancellationToken cancellation)
    {
        string head = string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: {content.Length}\r\nCache-Control: no-store\r\n")
            + (status.StartsWith("405", StringComparison.Ordinal) ? "Allow: GET, HEAD\r\n" : "") + "Connection: close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), cancellation).ConfigureAwait(false);
        if (body) await stream.WriteAsync(content, cancellation).ConfigureAwait(false);
    }
}
