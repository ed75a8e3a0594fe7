using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.State;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Engine;

/// <summary>
/// A loaded Sa2VA checkpoint: configuration, tokenizer and compiled networks. Immutable and shared by threads; what a conversation or a
/// stream needs belongs to its session. Close sessions before the model.
/// </summary>
public sealed class Sa2VAModel : IDisposable, IAsyncDisposable
{
    private readonly IBackend _backend;
    private readonly Checkpoint _checkpoint;
    private readonly TrackerWeights? _tracker;
    private readonly Lazy<byte[]> _fingerprint;
    private bool _disposed;

    private Sa2VAModel(CheckpointParts parts, IBackend backend, ModelOptions options, IProgress<LoadProgress>? progress,
        CancellationToken cancellation)
    {
        (string name, Sa2VAConfig config, Tokenizer tokenizer, Checkpoint checkpoint, _) = parts;
        (Name, Config, Tokenizer, _backend, _checkpoint) = (name, config, tokenizer, backend, checkpoint);
        _tracker = parts.Tracker;
        _fingerprint = new Lazy<byte[]>(() => ModelFingerprint.Of(config, options.ResizeOnce, checkpoint, _tracker));
        ChatTemplate template = config.Family.Template(config);
        SegId = tokenizer.TryGetId("[SEG]", out int seg) ? seg
            : throw new CheckpointException(
                $"The tokenizer of '{name}' has no [SEG] token; its files do not belong to a Sa2VA checkpoint.");
        CheckIds(name, config, tokenizer, checkpoint);
        StopRule = new StopRule(tokenizer, template);
        Prompt = new Prompt(tokenizer, template, config);

        var reporting = new ReportingWeights(_tracker is null ? checkpoint : _tracker, checkpoint.Bytes, progress);
        try
        {
            reporting.Begin("vision tower");
            VisionTower = new VisionTower(backend, reporting, config, cancellation);
            reporting.Begin("language model");
            LanguageModel = new LanguageModel(backend, reporting, config.Language, config.Family.MaxImageRows(config), options.MaxTokens,
                cancellation);
            SegVectors = new SegVectors(LanguageModel, reporting, config.Grounding.DModel, cancellation);
            Generation = new Generation(LanguageModel.Scheduler, tokenizer, StopRule, SegId);
            reporting.Begin("segmentation");
            Segmentation = new SegmentationModel(backend, reporting, config.Grounding, cancellation: cancellation);
            reporting.End();
            cancellation.ThrowIfCancellationRequested();
        }
        catch
        {
            VisionTower?.Dispose();
            LanguageModel?.Dispose();
            SegVectors?.Dispose();
            Segmentation?.Dispose();
            throw;
        }
    }

    /// <summary>Name of the checkpoint's folder; in a Hugging Face cache, of the model whose revision the folder is.</summary>
    public string Name { get; }

    /// <summary>Family of the vision-language half, as <see cref="ModelFamily.Name"/> has it.</summary>
    public string Family => Config.Family.Name;

    /// <summary>Configuration.</summary>
    public Sa2VAConfig Config { get; }

    /// <summary>Tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Short name of the device: <c>cpu</c>.</summary>
    public string DeviceName => _backend.Name;

    /// <summary>The device, for people.</summary>
    public string DeviceDescription => _backend.Description;

    /// <summary>How the device stores numbers.</summary>
    public Precision Precision => _backend.Precision;

    /// <summary>Native bytes held now: weights, intermediates, and the buffers of open sessions.</summary>
    public BackendMemory MemoryInfo => _backend.Memory;

    internal bool IsDisposed => Volatile.Read(ref _disposed);

    internal IBackend Backend => _backend;

    internal VisionTower VisionTower { get; }

    internal LanguageModel LanguageModel { get; }

    internal SegVectors SegVectors { get; }

    internal SegmentationModel Segmentation { get; }

    internal StopRule StopRule { get; }

    internal Prompt Prompt { get; }

    internal Generation Generation { get; }

    internal int SegId { get; }

    /// <summary>What tells this model from others, for what is saved of its sessions.</summary>
    internal byte[] Fingerprint => _fingerprint.Value;

    /// <summary>Reads a checkpoint's folder as it is published, and prepares everything that a first question needs.</summary>
    /// <param name="folder">Folder with config.json, tokenizer files and safetensors.</param>
    /// <param name="device">Where to compute, from a backend package: <c>new CpuDevice()</c>.</param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="progress">Told what is being prepared and how many bytes of weights have been read.</param>
    /// <param name="cancellation">Stops between two weights.</param>
    /// <exception cref="CheckpointException">The checkpoint is incomplete, broken, or of a kind that is not supported.</exception>
    /// <exception cref="DeviceException">The device is not there, or the memory budget does not suffice.</exception>
    public static Sa2VAModel Load(string folder, Device device, ModelOptions? options = null, IProgress<LoadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(device);
        cancellation.ThrowIfCancellationRequested();
        using Activity? activity = Sa2VATelemetry.Source.StartActivity("load model");
        try
        {
            Sa2VAModel model = Open(folder, device, options ?? new ModelOptions(), progress, cancellation);
            activity?.SetTag(Sa2VATelemetry.ModelTag, model.Name).SetTag("sa2va.device", model.DeviceName);
            return model;
        }
        catch (Exception e) when (activity is not null)
        {
            activity.SetTag("error.type", e.GetType().FullName).SetStatus(ActivityStatusCode.Error, e.Message);
            throw;
        }
    }

    /// <summary>Reads a checkpoint's folder on a worker thread.</summary>
    /// <inheritdoc cref="Load"/>
    public static Task<Sa2VAModel> LoadAsync(string folder, Device device, ModelOptions? options = null,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellation = default) =>
        Task.Run(() => Load(folder, device, options, progress, cancellation), cancellation);

    /// <summary>Opens a conversation without a picture.</summary>
    public TextSession OpenText()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new TextSession(this);
    }

    /// <summary>Opens a conversation about an image.</summary>
    public ImageSession OpenImage(RgbImage image)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentNullException.ThrowIfNull(image);
        return new ImageSession(this, image);
    }

    /// <summary>Opens a conversation about an image in memory of the caller, which is copied.</summary>
    public ImageSession OpenImage(ImageView image)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return OpenImage(image.ToImage());
    }

    /// <summary>Opens a conversation about a video. Its frames are given one at a time later.</summary>
    /// <param name="languageFrames">
    /// What the language model sees of it, 1 to 13 frames (see <see cref="FrameSelection"/>). Upstream takes the first five. As
    /// many of the stream's first frames, up to five, are segmented by the answer alone; the later ones from memory. They are read once,
    /// and none is held at its full size longer than it takes to shrink it.
    /// </param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <exception cref="MediaException">No frames.</exception>
    /// <exception cref="PromptException">Too many frames.</exception>
    public VideoSession OpenVideo(IEnumerable<RgbImage> languageFrames, VideoOptions? options = null,
        CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentNullException.ThrowIfNull(languageFrames);
        return new VideoSession(this, LanguageFrames.Read(languageFrames, Config, cancellation), options ?? new VideoOptions());
    }

    /// <summary>
    /// Opens a stream of frames without words: objects are shown on the newest frame by clicks, boxes and masks
    /// (<see cref="VideoSession.Follow"/>). The language model sees nothing of it, so questions are refused.
    /// </summary>
    /// <param name="options">Choices; null for the defaults.</param>
    public VideoSession OpenTracker(VideoOptions? options = null)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new VideoSession(this, [], options ?? new VideoOptions());
    }

    /// <summary>
    /// Opens a conversation about a recorded video, whose objects are followed forwards, backwards or both ways
    /// (<see cref="RecordedSession.TrackAsync"/>), by either protocol.
    /// </summary>
    /// <param name="frameCount">Frames of the video, at least 1.</param>
    /// <param name="read">
    /// Gives a frame by number; asked from one thread at a time, for any frame, several times. Backwards frames are asked for in blocks
    /// of up to 16, each in order.
    /// </param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="cancellation">Stops between two frames of those that the language model sees.</param>
    /// <exception cref="MediaException">There are no frames, or one cannot be read.</exception>
    /// <exception cref="PromptException">The start, or a frame for the language model, is outside the video.</exception>
    public RecordedSession OpenRecorded(int frameCount, Func<int, RgbImage> read, RecordedOptions? options = null,
        CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentNullException.ThrowIfNull(read);
        options ??= new RecordedOptions();
        if (frameCount < 1) throw new MediaException("The video has no frames.");
        options.StartOf(frameCount);
        IReadOnlyList<int> shown = options.Selection.Indices(frameCount);
        IReadOnlyList<RgbImage> tiles = LanguageFrames.Read(shown.Select(read), Config, cancellation);
        return new RecordedSession(this, new RecordedFrames(frameCount, read, shown), ImageTokens.Of(this, tiles), options);
    }

    /// <summary>
    /// Goes on with a video session that was saved (<see cref="VideoSession.Save"/>), with the bits that it would have had.
    /// </summary>
    /// <param name="stream">
    /// Read from where it is to the end of the state, and no further; not closed. It may be anything: what is not such a state, or not
    /// one of this model, is refused.
    /// </param>
    /// <param name="cancellation">Stops within the reading, or between two objects.</param>
    /// <exception cref="StateException">
    /// It is no state of a video session, of another version, of another model or precision, cut off, or damaged.
    /// </exception>
    /// <exception cref="DeviceMemoryException">The memory budget does not suffice for it.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public VideoSession RestoreVideo(Stream stream, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentNullException.ThrowIfNull(stream);
        VideoState state = VideoState.Read(stream, this, cancellation);
        var session = new VideoSession(this, state.Tiles, state.Options);
        try
        {
            session.Restore(state, cancellation);
            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Closes the model. Calls of sessions that are still running end with an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, true)) return;
        VisionTower.Dispose();
        LanguageModel.Dispose();
        Segmentation.Dispose();
        SegVectors.Dispose();
        _backend.Dispose();
        _tracker?.Dispose();
        _checkpoint.Dispose();
    }

    /// <summary>Closes the model on a worker thread: the op that is running ends first.</summary>
    public ValueTask DisposeAsync() => new(Task.Run(Dispose));

    private static Sa2VAModel Open(string folder, Device device, ModelOptions options, IProgress<LoadProgress>? progress,
        CancellationToken cancellation)
    {
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        config.Quantization?.Check(device.Precision);
        if (options.ResizeOnce) config = config.Family.ResizeOnce(config);
        Checkpoint checkpoint = Checkpoint.Open(folder);
        IBackend? backend = null;
        TrackerWeights? tracker = null;
        try
        {
            TensorReport.Of(config, checkpoint).ThrowUnlessUsable(folder);
            cancellation.ThrowIfCancellationRequested();
            if (options.TrackerWeights is { } weights) tracker = TrackerWeights.Open(weights, checkpoint, config);
            Tokenizer tokenizer = Tokenizer.Load(folder);
            if (options.MaxTokens < 0) throw new PromptException($"Room for {options.MaxTokens} tokens was asked for; 0 is the usual.");
            backend = device.Open(options.MemoryBudget);
            string name = NameOf(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
            IWeightSource weightsOfAll = tracker is null ? checkpoint : tracker;
            MemoryEstimate.CheckRoom(name, device, backend, config, weightsOfAll, options.MaxTokens, cancellation);
            var parts = new CheckpointParts(name, config, tokenizer, checkpoint, tracker);
            return new Sa2VAModel(parts, backend, options, progress, cancellation);
        }
        catch
        {
            backend?.Dispose();
            tracker?.Dispose();
            checkpoint.Dispose();
            throw;
        }
    }

    // models--ORGANISATION--NAME/snapshots/REVISION
    private static string NameOf(string folder)
    {
        const string entry = "models--";
        string? above = Path.GetDirectoryName(folder), model = Path.GetFileName(Path.GetDirectoryName(above));
        return Path.GetFileName(above) == "snapshots" && model?.StartsWith(entry, StringComparison.Ordinal) == true
            ? model[(model.LastIndexOf("--", StringComparison.Ordinal) + 2)..] : Path.GetFileName(folder);
    }

    private static void CheckIds(string name, Sa2VAConfig config, Tokenizer tokenizer, IWeightSource weights)
    {
        string table = LanguageStack.TableName(config.Language);
        int last = tokenizer.VocabularySize - 1;
        if (!weights.TryDescribe(table, out WeightInfo info) || last < info.Shape[0]) return;
        throw new CheckpointException(
            $"The tokenizer of '{name}' has the token '{tokenizer.DecodeReference([last])}' with id {last}, but '{table}' has "
            + $"{info.Shape[0]} rows: its files do not belong together. Download the checkpoint's tokenizer files again.");
    }

    /// <summary>What is read of a checkpoint's folder.</summary>
    private sealed record CheckpointParts(string Name, Sa2VAConfig Config, Tokenizer Tokenizer, Checkpoint Checkpoint,
        TrackerWeights? Tracker);
}
