using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Another mask decoder that tracks: a file of SAM 2's names, made from the toy's own tensors.</summary>
public sealed class TrackerWeightsTests
{
    private const string Prefix = CheckpointTensors.GroundingPrefix + ".", Circle = "Please segment the red circle.";
    private const int FrameCount = 7;
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_checkpoints_own_decoder_under_the_other_name_tracks_with_the_same_bits()
    {
        using var folder = new ScratchFolder();
        Write(folder.At("sam2.safetensors"), name => name, change: false);
        using Sa2VAModel model = Shapes.Load(options: new ModelOptions { TrackerWeights = folder.Path });
        foreach (VideoProtocol protocol in Enum.GetValues<VideoProtocol>())
            Assert.Equal(await Track(Shapes.Model, protocol), await Track(model, protocol));
        Assert.Equal(Stream(Shapes.Model), Stream(model));
    }

    [Fact]
    public async Task Another_decoder_tracks_what_the_checkpoints_own_has_found()
    {
        using var folder = new ScratchFolder();
        Write(folder.At("sam2.safetensors"), name => name, change: true);
        // The same decoder as the only one of a checkpoint.
        Copy(folder.At("changed"));
        Write(folder.At("changed", "model.safetensors"), null, change: true);
        using Sa2VAModel model = Shapes.Load(options: new ModelOptions { TrackerWeights = folder.At("sam2.safetensors") });
        using var changed = Sa2VAModel.Load(folder.At("changed"), new Cpu.CpuDevice(), cancellation: Cancellation);

        using RecordedSession session = Open(model, VideoProtocol.Consistent);
        AnswerObject named = Assert.Single(session.Ask(Circle, cancellation: Cancellation).Objects);
        var masks = new List<ObjectMask>();
        await foreach (FrameMasks frame in session.TrackAsync(cancellation: Cancellation)) masks.Add(frame.Objects[0]);

        // What words find is the checkpoint's; what is between is the other's alone, given the masks.
        using RecordedSession own = Open(Shapes.Model, VideoProtocol.Consistent), other = Open(changed, VideoProtocol.Upstream);
        Assert.Equal(named.Embedding.ToArray(), Assert.Single(own.Ask(Circle, cancellation: Cancellation).Objects).Embedding.ToArray());
        var ofOwn = new List<ObjectMask>();
        await foreach (FrameMasks frame in own.TrackAsync(cancellation: Cancellation)) ofOwn.Add(frame.Objects[0]);
        other.Follow(0, new VisualPrompt(masks[0].ToMask()));
        foreach (int t in session.LanguageFrames.Skip(1)) other.Correct(0, t, new VisualPrompt(masks[t].ToMask()));
        var ofOther = new List<ObjectMask>();
        await foreach (FrameMasks frame in other.TrackAsync(cancellation: Cancellation)) ofOther.Add(frame.Objects[0]);
        for (int t = 0; t < FrameCount; t++)
        {
            bool isShown = session.LanguageFrames.Contains(t);
            Assert.Equal(isShown, Shapes.Fingerprint(masks[t]) == Shapes.Fingerprint(ofOwn[t]));
            if (!isShown) Assert.Equal(Shapes.Fingerprint(ofOther[t]), Shapes.Fingerprint(masks[t]));
        }
    }

    /// <summary>As Sa2VA-i is published: SAM 2's decoder under its name, and Sa2VA's beside it.</summary>
    [Fact]
    public async Task A_checkpoint_that_holds_both_decoders_answers_with_one_and_tracks_with_the_other()
    {
        const string tuned = "sam_mask_decoder_modified";
        using var folder = new ScratchFolder();
        Write(folder.At("sam2.safetensors"), name => name, change: true);
        Copy(folder.At("both"));
        WriteBoth(name => name);
        using Sa2VAModel expected = Shapes.Load(options: new ModelOptions { TrackerWeights = folder.At("sam2.safetensors") });
        using var model = Sa2VAModel.Load(folder.At("both"), new Cpu.CpuDevice(), cancellation: Cancellation);
        foreach (VideoProtocol protocol in Enum.GetValues<VideoProtocol>())
            Assert.Equal(await Track(expected, protocol), await Track(model, protocol));
        Assert.Equal(Stream(expected), Stream(model));
        Assert.NotEqual(Stream(Shapes.Model), Stream(model));
        using (Checkpoint both = Checkpoint.Open(folder.At("both")))
        {
            var report = TensorReport.Of(model.Config, both);
            Assert.True(report.IsUsable);
            Assert.Empty(report.Extra);
        }
        // Each must be whole; what is missing is called as it would be stored.
        Unusable(name => name.EndsWith("sam_mask_decoder.iou_token.weight", StringComparison.Ordinal),
            "sam_mask_decoder.iou_token.weight");
        Unusable(name => name.EndsWith(tuned + ".iou_token.weight", StringComparison.Ordinal),
            $"{tuned}.iou_token.weight");

        void Unusable(Func<string, bool> isMissing, string part)
        {
            WriteBoth(name => isMissing(name) ? "mlp1_beside." + name : name);
            string message = Assert.Throws<CheckpointException>(
                () => Sa2VAModel.Load(folder.At("both"), new Cpu.CpuDevice(), cancellation: Cancellation)).Message;
            Assert.Contains($"Missing: {Prefix}{part}", message, StringComparison.Ordinal);
        }

        void WriteBoth(Func<string, string> named) => WriteAll(folder.At("both", "model.safetensors"), name =>
            name.StartsWith(Prefix + "sam_mask_decoder.", StringComparison.Ordinal)
                ? [(named(name), true), (named(name.Replace("sam_mask_decoder", tuned, StringComparison.Ordinal)), false)]
                : [(name, false)]);
    }

    [Fact]
    public void A_state_belongs_to_the_tracker_too()
    {
        using var folder = new ScratchFolder();
        Write(folder.At("sam2.safetensors"), name => name, change: true);
        using Sa2VAModel model = Shapes.Load(options: new ModelOptions { TrackerWeights = folder.Path });
        using VideoSession session = model.OpenTracker();
        using var state = new MemoryStream();
        session.Save(state, Cancellation);
        state.Position = 0;
        Assert.Contains("other weights",
            Assert.Throws<StateException>(() => Shapes.Model.RestoreVideo(state, Cancellation)).Message, StringComparison.Ordinal);
        state.Position = 0;
        model.RestoreVideo(state, Cancellation).Dispose();
    }

    [Fact]
    public void What_is_no_such_file_is_refused()
    {
        using var folder = new ScratchFolder();
        Refused("there", "There are no tracker weights", "python3 -c");
        Directory.CreateDirectory(folder.At("empty"));
        Refused(folder.At("empty"), "holds no safetensors file");
        File.WriteAllBytes(folder.At("empty", "sam2_hiera_large.pt"), [0x50, 0x4B, 3, 4]);
        Refused(folder.At("empty"), "pickled file", "torch.load", "save_file");
        Refused(folder.At("empty", "sam2_hiera_large.pt"), "pickled file");
        File.WriteAllBytes(folder.At("zip.safetensors"), [0x50, 0x4B, 3, 4, 0, 0, 0, 0, 0, 0]);
        Refused(folder.At("zip.safetensors"), "zip archive");
        Refused(Path.Combine(Shapes.Folder, "model.safetensors"), "is a Sa2VA checkpoint");
        Write(folder.At("hf.safetensors"), name => name.Replace("sam_mask_decoder", "mask_decoder", StringComparison.Ordinal),
            change: false);
        Refused(folder.At("hf.safetensors"), "names of Hugging Face's own classes");
        Write(folder.At("foreign.safetensors"), name => "x." + name, change: false);
        Refused(folder.At("foreign.safetensors"), "its first is 'x.");
        Refused(folder.Path, "holds 3 safetensors files");
        Write(folder.At("newer.safetensors"), name => name == "no_mem_pos_enc" ? "no_obj_embed_spatial" : name, change: false);
        Refused(folder.At("newer.safetensors"), "is SAM 2.1");
        Write(folder.At("less.safetensors"), name => name == "sam_mask_decoder.conv_s0.bias" ? "other" : name, change: false);
        Refused(folder.At("less.safetensors"), "Missing: sam_mask_decoder.conv_s0.bias. ");
        Write(folder.At("shape.safetensors"), name => name switch
        {
            "image_encoder.trunk.pos_embed" => "image_encoder.trunk.pos_embed_window",
            "image_encoder.trunk.pos_embed_window" => "image_encoder.trunk.pos_embed",
            _ => name,
        }, change: false);
        Refused(folder.At("shape.safetensors"), "Of another shape: image_encoder.trunk.pos_embed: stored");
    }

    private static void Refused(string path, params string[] parts)
    {
        string message = Assert.Throws<CheckpointException>(
            () => Shapes.Load(options: new ModelOptions { TrackerWeights = path }).Dispose()).Message;
        Assert.All(parts, p => Assert.Contains(p, message, StringComparison.Ordinal));
    }

    private static RecordedSession Open(Sa2VAModel model, VideoProtocol protocol) =>
        model.OpenRecorded(FrameCount, t => Shapes.Clip[t], new RecordedOptions { Protocol = protocol }, Cancellation);

    private static async Task<List<string>> Track(Sa2VAModel model, VideoProtocol protocol)
    {
        using RecordedSession session = Open(model, protocol);
        session.Ask(Circle, cancellation: Cancellation);
        var prints = new List<string>();
        await foreach (FrameMasks masks in session.TrackAsync(cancellation: Cancellation))
            prints.AddRange(masks.Objects.Select(Shapes.Fingerprint));
        return prints;
    }

    private static List<string> Stream(Sa2VAModel model)
    {
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2]);
        session.Ask(Circle, cancellation: Cancellation);
        var prints = new List<string>();
        for (int t = 0; t < 4; t++) prints.AddRange(session.Next(Shapes.Clip[t], Cancellation).Objects.Select(Shapes.Fingerprint));
        return prints;
    }

    private static void Copy(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.GetFiles(Shapes.Folder)) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
    }

    /// <summary>Writes the toy's SAM 2, or the whole toy.</summary>
    /// <param name="path">File.</param>
    /// <param name="named">What a tensor without its prefix is called; null for the whole checkpoint, as it is called.</param>
    /// <param name="change">True for a decoder that is another one in each part.</param>
    private static void Write(string path, Func<string, string>? named, bool change) => WriteAll(path, name =>
        named is null ? [(name, change)]
            : name.StartsWith(Prefix, StringComparison.Ordinal) ? [(named(name[Prefix.Length..]), change)] : []);

    /// <summary>Writes the toy's tensors.</summary>
    /// <param name="path">File.</param>
    /// <param name="named">What a tensor is called, and whether it is changed; none where it is left out.</param>
    private static unsafe void WriteAll(string path, Func<string, (string Name, bool Change)[]> named)
    {
        using Checkpoint toy = Checkpoint.Open(Shapes.Folder);
        var tensors = new Dictionary<string, (string From, bool Change, WeightInfo Info)>(StringComparer.Ordinal);
        foreach (string name in toy.Names)
        {
            if (!toy.TryDescribe(name, out WeightInfo info)) continue;
            foreach ((string stored, bool change) in named(name)) tensors[stored] = (name, change, info with { Name = stored });
        }
        SafetensorsWriter.Write(path, [.. tensors.Values.Select(t => t.Info).OrderBy(i => i.Name, StringComparer.Ordinal)],
            (tensor, start, target) =>
            {
                using WeightData data = ((IWeightSource)toy).Open(tensors[tensor.Name].From);
                new ReadOnlySpan<byte>(data.Pointer + start * tensor.Type.Size(), target.Length).CopyTo(target);
                // The decoder's and what of it a frame's features are made with: halved, by the exponent.
                bool isOne = tensor.Name.Contains("sam_mask_decoder.conv_s", StringComparison.Ordinal)
                    || tensor.Name.Contains("sam_mask_decoder.output_upscaling.3", StringComparison.Ordinal);
                if (!tensors[tensor.Name].Change || !isOne || tensor.Type != DType.BF16) return;
                foreach (ref ushort v in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ushort>(target))
                    if ((v & 0x7F80) > 0x0080) v -= 0x0080;
            });
    }
}
