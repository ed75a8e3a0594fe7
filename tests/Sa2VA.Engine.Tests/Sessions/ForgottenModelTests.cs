using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>A model that nobody closes is collected, and so are its threads' hold on it and the mapped pages of its file.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class ForgottenModelTests
{
    [Fact]
    public void Nothing_of_it_stays()
    {
        using var folder = new ScratchFolder();
        string name = Path.GetFileName(folder.Path);
        foreach (string file in Directory.GetFiles(Shapes.Folder))
            File.Copy(file, folder.At(Path.GetFileName(file)));
        WeakReference model = Forget(folder.Path);
        for (int round = 0; round < 50 && (model.IsAlive || IsMapped(name)); round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            // A step that was enqueued behind the answer's last token may still run.
            Thread.Sleep(2);
        }
        Assert.False(model.IsAlive);
        Assert.False(IsMapped(name));
    }

    /// <summary>A method of its own: no local variable of the caller keeps the model.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget(string folder)
    {
        var model = Sa2VAModel.Load(folder, new CpuDevice { Threads = 2 });
        TextSession session = model.OpenText();
        Assert.Equal(Shapes.Case("text-hello").Prediction, session.Ask("Hello").Raw);
        // The embedding table stays mapped as long as the model lives.
        if (OperatingSystem.IsLinux()) Assert.True(IsMapped(Path.GetFileName(folder)));
        return new WeakReference(model);
    }

    /// <summary>Whether this process maps a file of the folder; only Linux tells.</summary>
    private static bool IsMapped(string folder) =>
        OperatingSystem.IsLinux() && File.ReadLines("/proc/self/maps").Any(line => line.Contains(folder, StringComparison.Ordinal));
}
