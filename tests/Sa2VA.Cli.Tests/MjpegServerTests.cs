using System.Net.Sockets;
using System.Text;
using Sa2VA.Cli.Live;

namespace Sa2VA.Cli.Tests;

public class MjpegServerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost:1\r\n\r\n", "200 OK", "<img src=\"/stream\"")]
    [InlineData("HEAD /stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200 OK", "boundary=frame")]
    [InlineData("GET /?x=1 HTTP/1.0\r\n\r\n", "200 OK", "<img")]
    [InlineData("GET /etc/passwd HTTP/1.1\r\nhost: [::1]:80\r\n\r\n", "404 Not Found", "/frame.jpg")]
    [InlineData("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", "405 Method Not Allowed", "Allow: GET")]
    [InlineData("GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "403 Forbidden", "127.0.0.1")]
    [InlineData("\u0016\u0003\u0001 no http\r\n\r\n", "400 Bad Request", "HTTP/1")]
    [InlineData("GET http://x/ HTTP/1.1\r\n\r\n", "400 Bad Request", "HTTP/1")]
    public async Task Every_request_is_answered(string request, string status, string part)
    {
        await using var server = new MjpegServer(0);
        string answer = await AskAsync(server, request);
        Assert.StartsWith("HTTP/1.1 " + status, answer, StringComparison.Ordinal);
        Assert.Contains(part, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_head_that_does_not_end_is_refused()
    {
        await using var server = new MjpegServer(0);
        string answer = await AskAsync(server, "GET / HTTP/1.1\r\nX: " + new string('x', HttpRequest.LongestHead));
        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_does_not_read_holds_nobody_up_and_others_see_the_newest()
    {
        await using var server = new MjpegServer(0);
        using TcpClient slow = await OpenAsync(server, "GET /stream HTTP/1.1\r\n\r\n");
        await WatchedAsync(server);
        // More than the system's buffers hold.
        byte[] large = new byte[8 << 20];
        for (int i = 0; i < 50; i++) server.Show(large);
        // It is being written to, and asks for nothing more.
        while (server.IsWatched) await Task.Delay(5, Cancellation);
        using TcpClient quick = await OpenAsync(server, "GET /stream HTTP/1.1\r\n\r\n");
        await WatchedAsync(server);
        server.Show("newest"u8.ToArray());
        string text = "";
        byte[] buffer = new byte[1000];
        while (!text.Contains("newest\r\n--frame", StringComparison.Ordinal))
        {
            int read = await quick.GetStream().ReadAsync(buffer, Cancellation);
            Assert.NotEqual(0, read);
            text += Encoding.Latin1.GetString(buffer, 0, read);
        }
        Assert.Contains("Content-Type: image/jpeg\r\nContent-Length: 6\r\n\r\nnewest", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_many_are_told_to_come_back_and_all_end_with_the_server()
    {
        var clients = new List<TcpClient>();
        try
        {
            await using (var server = new MjpegServer(0))
            {
                // None of them asks for anything.
                for (int i = 0; i < MjpegServer.MostConnections; i++) clients.Add(await OpenAsync(server, ""));
                Assert.StartsWith("HTTP/1.1 503", await AskAsync(server, "GET / HTTP/1.1\r\n\r\n"), StringComparison.Ordinal);
            }
            Assert.Equal(0, await clients[0].GetStream().ReadAsync(new byte[1], Cancellation));
        }
        finally
        {
            foreach (TcpClient client in clients) client.Dispose();
        }
    }

    [Fact]
    public async Task A_port_that_is_taken_is_told()
    {
        await using var server = new MjpegServer(0);
        int port = new Uri(server.Address).Port;
        string message = Assert.Throws<UsageException>(() => new MjpegServer(port)).Message;
        Assert.Contains("another program has it; give another with --serve", message, StringComparison.Ordinal);
    }

    private static async Task WatchedAsync(MjpegServer server)
    {
        while (!server.IsWatched) await Task.Delay(5, Cancellation);
    }

    private static async Task<TcpClient> OpenAsync(MjpegServer server, string request)
    {
        var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", new Uri(server.Address).Port, Cancellation);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request), Cancellation);
        return client;
    }

    private static async Task<string> AskAsync(MjpegServer server, string request)
    {
        using TcpClient client = await OpenAsync(server, request);
        using var reader = new StreamReader(client.GetStream(), Encoding.Latin1);
        return await reader.ReadToEndAsync(Cancellation);
    }
}
