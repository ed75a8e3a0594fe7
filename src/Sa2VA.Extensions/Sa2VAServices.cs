using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Extensions;

/// <summary>A model for dependency injection.</summary>
public static class Sa2VAServices
{
    /// <summary>
    /// Adds a model (<see cref="Sa2VAModel"/>) and a chat client of it (<see cref="IChatClient"/>), one of each for all who ask. The model
    /// is loaded once, when it is first asked for or when the host starts (<see cref="Sa2VAOptions.LoadAtStart"/>), and closed with the
    /// provider.
    /// </summary>
    /// <param name="services">Services.</param>
    /// <param name="device">Where to compute, from a backend package: <c>new CpuDevice()</c>.</param>
    /// <param name="configure">Says at least the folder.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddSa2VA(this IServiceCollection services, Device device, Action<Sa2VAOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOptions<Sa2VAOptions>().Configure(configure).Validate(o => o.Folder.Length > 0,
            "Sa2VA has no model: set Sa2VAOptions.Folder, in a configuration the key Folder, to a checkpoint's folder.")
            .Validate(o => o.KeptConversations >= 0, "Sa2VAOptions.KeptConversations is negative; 0 keeps none.");
        services.TryAddSingleton(provider => Load(provider, device));
        services.TryAddSingleton<IChatClient>(provider => new Sa2VAChatClient(provider.GetRequiredService<Sa2VAModel>(),
            provider.GetRequiredService<IOptions<Sa2VAOptions>>().Value.KeptConversations,
            provider.GetService<ILogger<Sa2VAChatClient>>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, LoadAtStart>());
        return services;
    }

    /// <summary>The same with options from a configuration, such as the section <c>Sa2VA</c> of <c>appsettings.json</c>.</summary>
    /// <param name="services">Services.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="configuration">Has the properties of <see cref="Sa2VAOptions"/> as keys.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddSa2VA(this IServiceCollection services, Device device, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddSa2VA(device, options => configuration.Bind(options));
    }

    private static Sa2VAModel Load(IServiceProvider provider, Device device)
    {
        ILogger logger = provider.GetService<ILogger<Sa2VAModel>>() ?? (ILogger)NullLogger.Instance;
        Sa2VAOptions options = provider.GetRequiredService<IOptions<Sa2VAOptions>>().Value;
        logger.ModelLoading(options.Folder);
        long began = TimeProvider.System.GetTimestamp();
        try
        {
            Sa2VAModel model = Sa2VAModel.Load(options.Folder, device, new ModelOptions
            {
                MemoryBudget = options.MemoryBudget,
                MaxTokens = options.MaxTokens,
                ResizeOnce = options.ResizeOnce,
                TrackerWeights = options.TrackerWeights,
            });
            BackendMemory memory = model.MemoryInfo;
            logger.ModelLoaded(model.Name, model.Family, model.DeviceDescription, model.Precision.ToString(),
                memory.Total, TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
            foreach (string note in model.Config.Notes) logger.ModelNote(model.Name, note);
            return model;
        }
        catch (Exception e)
        {
            logger.ModelFailed(options.Folder, e);
            throw;
        }
    }

    /// <summary>Asks for the model when the host starts, where that is wanted.</summary>
    private sealed class LoadAtStart(IServiceProvider provider, IOptions<Sa2VAOptions> options) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => options.Value.LoadAtStart
            ? Task.Run(provider.GetRequiredService<Sa2VAModel>, cancellationToken)
            : Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
