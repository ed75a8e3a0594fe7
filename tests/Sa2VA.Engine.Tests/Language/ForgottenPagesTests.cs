using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine.Language;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Language;

/// <summary>Whoever needs memory waits for what nobody holds any more, and that must be able to come back meanwhile.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class ForgottenPagesTests
{
    private const int Tokens = 100;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_of_forgotten_conversations_come_back_when_there_is_no_room_for_others()
    {
        long budget;
        using (IBackend backend = new CpuDevice { Threads = 1 }.Open())
        using (LanguageModel model = Load(backend))
        {
            Forget(model);
            budget = backend.Memory.Total;
        }
        using IBackend small = new CpuDevice { Threads = 1 }.Open(budget);
        using LanguageModel language = Load(small);
        Forget(language);
        using var conversation = new Conversation(language, null);
        await Task.Run(() => conversation.MakeRoom(Tokens), Cancellation).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal(KvLayout.PagesFor(Tokens), language.Pages.HeldPages);
        Assert.Throws<DeviceMemoryException>(() => conversation.MakeRoom(10 * Tokens));
    }

    [Fact]
    public async Task So_do_slots_of_forgotten_banks()
    {
        var pool = new SlotPool("memories", 100, count =>
        {
            if (count <= 3) return;
            GC.Collect();
            GC.WaitForPendingFinalizers();
            if (count > 4) throw new DeviceException("No room.");
        });
        Forget(pool);
        int[] slots = await Task.Run(() => new[] { pool.Take(), pool.Take(), pool.Take() }, Cancellation)
            .WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        Assert.Equal(3, slots.Distinct().Count());
        Assert.InRange(pool.Taken, 3, 4);
    }

    private static LanguageModel Load(IBackend backend)
    {
        Sa2VAConfig config = Sa2VAConfig.Read(Shapes.Folder);
        return new LanguageModel(backend, new SyntheticWeights(config), config.Language, imageRows: 64);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(LanguageModel model) => new Conversation(model, null).MakeRoom(Tokens);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(SlotPool pool)
    {
        var bank = new MemoryBank(1, pool, new SlotPool("pointers", 100));
        for (int i = 0; i < 3; i++)
        {
            if (i > 0) bank.KeepTracked(i);
            else bank.KeepPrompted(i);
        }
    }
}
