using System.Collections.Concurrent;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Extensions;

namespace Sa2VA.Tests;

/// <summary>The model and its chat client as services.</summary>
public sealed class ServicesTests
{
    [Fact]
    public async Task The_model_is_loaded_once_when_it_is_asked_for_and_closed_with_the_provider()
    {
        ServiceProvider provider = Services(new Dictionary<string, string?> { ["Folder"] = Shown.Folder }).BuildServiceProvider();
        Messages log = provider.GetRequiredService<Messages>();
        foreach (IHostedService hosted in provider.GetServices<IHostedService>()) await hosted.StartAsync(CancellationToken.None);
        Assert.Empty(log.Events);
        IChatClient client = provider.GetRequiredService<IChatClient>();
        Sa2VAModel model = provider.GetRequiredService<Sa2VAModel>();
        Assert.Same(model, client.GetService<Sa2VAModel>());
        Assert.Same(client, provider.GetRequiredService<IChatClient>());
        Assert.Equal([1, 2], log.Events.Select(e => e.Id));
        await client.GetResponseAsync("Hello.");
        Assert.Equal(10, log.Events.Last().Id);
        await provider.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(model.OpenText);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("Hello."));
    }

    [Fact]
    public async Task It_is_loaded_at_start_where_that_is_wanted()
    {
        await using ServiceProvider provider = Services(new Dictionary<string, string?>
        {
            ["Folder"] = Shown.Folder, ["LoadAtStart"] = "true", ["MaxTokens"] = "64", ["KeptConversations"] = "0",
        }).BuildServiceProvider();
        foreach (IHostedService hosted in provider.GetServices<IHostedService>()) await hosted.StartAsync(CancellationToken.None);
        Assert.Contains(provider.GetRequiredService<Messages>().Events, e => e.Id == 2);
        // The options came through: 64 tokens are no room for this.
        await Assert.ThrowsAsync<DeviceMemoryException>(() => provider.GetRequiredService<IChatClient>()
            .GetResponseAsync(string.Join(' ', Enumerable.Repeat("a b", 60))));
        (int id, LogLevel level, string text) = provider.GetRequiredService<Messages>().Events.Last();
        Assert.Equal((11, LogLevel.Warning), (id, level));
        Assert.Contains("sa2va-tiny-shapes", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_cannot_be_loaded_says_why()
    {
        await using ServiceProvider nothing = Services([]).BuildServiceProvider();
        Assert.Contains("Folder", Assert.Throws<OptionsValidationException>(nothing.GetRequiredService<Sa2VAModel>).Message,
            StringComparison.Ordinal);
        await using ServiceProvider missing = Services(new Dictionary<string, string?>
        {
            ["Folder"] = Path.Combine(Path.GetTempPath(), "no-such-model"), ["LoadAtStart"] = "true",
        }).BuildServiceProvider();
        foreach (IHostedService hosted in missing.GetServices<IHostedService>())
            await Assert.ThrowsAsync<CheckpointException>(() => hosted.StartAsync(CancellationToken.None));
        Assert.Equal([1, 4], missing.GetRequiredService<Messages>().Events.Select(e => e.Id));
        await using ServiceProvider tracker = Services(new Dictionary<string, string?>
        {
            ["Folder"] = Shown.Folder, ["TrackerWeights"] = Path.Combine(Path.GetTempPath(), "no-such-weights"),
        }).BuildServiceProvider();
        Assert.Contains("no-such-weights", Assert.Throws<CheckpointException>(tracker.GetRequiredService<Sa2VAModel>).Message,
            StringComparison.Ordinal);
    }

    private static IServiceCollection Services(Dictionary<string, string?> settings) => new ServiceCollection()
        .AddSingleton<Messages>()
        .AddSingleton(typeof(ILogger<>), typeof(Logger<>))
        .AddSa2VA(new CpuDevice(), new ConfigurationBuilder().AddInMemoryCollection(settings).Build());

    /// <summary>What was logged.</summary>
    private sealed class Messages
    {
        public ConcurrentQueue<(int Id, LogLevel Level, string Text)> Events { get; } = [];
    }

    private sealed class Logger<T>(Messages messages) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => messages.Events.Enqueue((eventId.Id, logLevel, formatter(state, exception)));
    }
}
