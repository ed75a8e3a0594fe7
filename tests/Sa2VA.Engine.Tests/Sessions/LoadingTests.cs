using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

public sealed class LoadingTests
{
    [Fact]
    public void Progress_never_goes_back()
    {
        var reports = new List<LoadProgress>();
        using Sa2VAModel model = Shapes.Load(progress: new Reports<LoadProgress>(reports.Add));
        Assert.Equal(reports.Select(r => r.Bytes).Order(), reports.Select(r => r.Bytes));
        Assert.All(reports, r => Assert.InRange(r.Bytes, 0, r.TotalBytes));
        Assert.Equal(["vision tower", "language model", "segmentation", "ready"], reports.Select(r => r.Stage).Distinct());
        Assert.True(reports[^1].Bytes > reports[^1].TotalBytes / 2);
        int count = reports.Count;
        // A longer conversation than any before needs plans of its own; that is no longer loading.
        using TextSession text = model.OpenText();
        text.Ask(string.Concat(Enumerable.Repeat("What can you do? ", 300)), new AskOptions { MaxNewTokens = 1 });
        Assert.Equal(count, reports.Count);
    }

    [Fact]
    public void Who_is_told_of_loading_is_not_held_by_the_model()
    {
        using Sa2VAModel model = Load(out WeakReference who);
        for (int i = 0; i < 20 && who.IsAlive; i++) GC.Collect();
        Assert.False(who.IsAlive);

        // What tells is gone when this returns.
        static Sa2VAModel Load(out WeakReference who)
        {
            var progress = new Reports<LoadProgress>(_ => { });
            who = new WeakReference(progress);
            return Shapes.Load(progress: progress);
        }
    }

    [Fact]
    public void Devices_folders_and_options_that_are_not_there()
    {
        Assert.Throws<DeviceException>(() => Shapes.Load(new CpuDevice { Threads = -1 }));
        Assert.Throws<DeviceException>(() => Shapes.Load(new CpuDevice { Threads = 100_000 }));
        Assert.Throws<DeviceException>(() => Shapes.Load(options: new ModelOptions { MemoryBudget = -1 }));
        Assert.Throws<CheckpointException>(() => Sa2VAModel.Load(Path.Combine(Shapes.Folder, "nothing"), new CpuDevice()));
        Assert.Throws<CheckpointException>(() => Sa2VAModel.Load(Path.Combine(Shapes.Folder, "config.json"), new CpuDevice()));
        Assert.Throws<CheckpointException>(() => Sa2VAModel.Load("", new CpuDevice()));
        Assert.Throws<ArgumentNullException>(() => Sa2VAModel.Load(null!, new CpuDevice()));
        Assert.Throws<ArgumentNullException>(() => Sa2VAModel.Load(Shapes.Folder, null!));
    }

    [Fact]
    public void A_token_without_an_embedding_is_named()
    {
        using var folder = new ScratchFolder();
        foreach (string file in Directory.GetFiles(Shapes.Folder))
            File.Copy(file, folder.At(Path.GetFileName(file)));
        string added = folder.At("added_tokens.json"), tokens = File.ReadAllText(added);
        // Every row has a token; the first row behind the table is not there.
        foreach (int id in (int[])[Shapes.Model.Config.Language.VocabularySize, 5000])
        {
            File.WriteAllText(added, tokens.Replace("{", $"{{\"<far>\": {id},", StringComparison.Ordinal));
            Assert.Contains($"'<far>' with id {id}",
                Assert.Throws<CheckpointException>(() => Sa2VAModel.Load(folder.Path, new CpuDevice())).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Memory_comes_back_when_sessions_close()
    {
        using Sa2VAModel model = Shapes.Load();
        Use(model);
        long before = Shapes.Held(model).Total;
        for (int i = 0; i < 3; i++) Use(model);
        Assert.Equal(before, Shapes.Held(model).Total);
        using (TextSession text = model.OpenText())
        {
            text.Ask("Hello");
            Assert.True(Shapes.Held(model).Total > before);
        }
        Assert.Equal(before, Shapes.Held(model).Total);

        static void Use(Sa2VAModel model)
        {
            using TextSession text = model.OpenText();
            text.Ask("Hello");
            using ImageSession image = model.OpenImage(Shapes.Image("one-128.png"));
            image.Ask("Please segment the red square.");
            Assert.Throws<PromptException>(() => image.Ask("\ud800"));
            using VideoSession video = model.OpenVideo(Shapes.Clip[..2]);
            video.Ask("Please segment the red circle.");
            for (int f = 0; f < 4; f++) video.Next(Shapes.Clip[f]);
            video.Dispose();
            video.Dispose();
        }
    }

    [Fact]
    public void A_budget_that_does_not_suffice_is_told_with_sizes()
    {
        long needed;
        using (Sa2VAModel model = Shapes.Load()) needed = model.MemoryInfo.Total;
        for (int i = 0; i < 8; i++)
        {
            string message = Assert.Throws<DeviceMemoryException>(() =>
                Shapes.Load(options: new ModelOptions { MemoryBudget = 1 + needed * i / 9 })).Message;
            Assert.Matches(@"needs [0-9.]+ (bytes|kB|MB)", message);
        }
    }

    [Fact]
    public void A_session_that_does_not_fit_leaves_nothing_behind()
    {
        long loaded;
        using (Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 1 })) loaded = model.MemoryInfo.Total;
        int refused = 0, worked = 0;
        for (long room = 1 << 12; room <= 1 << 25; room *= 2)
        {
            using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 1 }, new ModelOptions { MemoryBudget = loaded + room });
            long buffers = model.MemoryInfo.Buffers;
            foreach (Func<ChatSession> open in new Func<ChatSession>[] { model.OpenText, () => model.OpenImage(Shapes.Pattern(64, 64)),
                () => model.OpenVideo(Shapes.Clip[..1]) })
            {
                try
                {
                    using ChatSession session = open();
                    try
                    {
                        session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 20 });
                        if (session is VideoSession video) video.Next(Shapes.Clip[0]);
                        worked++;
                    }
                    catch (DeviceMemoryException)
                    {
                        refused++;
                        // A question that did not fit can be asked again, and does not fit again.
                        Assert.Throws<DeviceMemoryException>(() =>
                            session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 20 }));
                    }
                    Assert.True(model.MemoryInfo.Total <= loaded + room);
                }
                catch (DeviceMemoryException e)
                {
                    refused++;
                    Assert.Contains(" MB", e.Message, StringComparison.Ordinal);
                }
                Assert.Equal(buffers + Shapes.PooledBytes(model), Shapes.Held(model).Buffers);
                Assert.Equal(0, model.Segmentation.Banks.MemorySlots.Taken);
            }
        }
        Assert.True(refused > 3 && worked > 3, $"{refused} refused, {worked} worked.");
    }
}
