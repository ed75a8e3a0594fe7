using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using TorchSharp;

namespace Sa2VA.Peers;

/// <summary>
/// libtorch, and oneDNN as libtorch carries it. A linear layer of libtorch goes to MKL where libtorch was built with it; oneDNN is asked by
/// the operators that PyTorch's compiler uses for frozen weights, packed beforehand. A TorchScript module names them.
/// </summary>
internal sealed partial class OneDnn : IDisposable
{
    private const string Code = """
        class M(Module):
          __parameters__ = []
          __buffers__ = []
          training : bool
          def pack(self: __torch__.M, w: Tensor, rows: int) -> Tensor:
            return ops.mkldnn._reorder_linear_weight(w, rows)
          def linear(self: __torch__.M, x: Tensor, w: Tensor) -> Tensor:
            return ops.mkldnn._linear_pointwise(x, w, None, "none", annotate(List[Optional[number]], []), "")

        """;

    private static readonly Lazy<torch.jit.ScriptModule> Module = new(Load);

    private readonly torch.Tensor _x, _w, _packed;

    /// <param name="x">[rows, inputs].</param>
    /// <param name="w">[outputs, inputs].</param>
    public OneDnn(float[] x, float[] w, int rows, int inputs, int outputs)
    {
        torch.jit.ScriptModule module = Module.Value;
        torch.set_grad_enabled(false);
        (_x, _w) = (torch.tensor(x, [rows, inputs]), torch.tensor(w, [outputs, inputs]));
        _packed = (torch.Tensor)module.invoke("pack", _w, (long)rows);
    }

    public static string Version => Module.Value is null ? "" : torch.__version__;

    public static void SetThreads(int threads) => torch.set_num_threads(Module.Value is null ? 0 : threads);

    /// <summary>x·wᵀ by oneDNN, weights packed beforehand.</summary>
    public void Run() => Product().Dispose();

    /// <summary>x·wᵀ as libtorch computes a linear layer.</summary>
    public void RunTorch() => torch.nn.functional.linear(_x, _w).Dispose();

    /// <summary>The result of oneDNN.</summary>
    public float[] Result()
    {
        using torch.Tensor y = Product();
        return [.. y.data<float>()];
    }

    public void Dispose()
    {
        _x.Dispose();
        _w.Dispose();
        _packed.Dispose();
    }

    private torch.Tensor Product() => (torch.Tensor)Module.Value.invoke("linear", _x, _packed);

    private static torch.jit.ScriptModule Load()
    {
        string natives = Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");
        LoosenVersion(Path.Combine(natives, "libLibTorchSharp.so"));
        string shim = Path.Combine(AppContext.BaseDirectory, "libstdcxx_shim.so");
        if (!File.Exists(shim)) throw new InvalidOperationException($"{shim} is missing; benchmarks/peers/README.md says how to make it.");
        const int NowAndForAll = 0x102;
        if (OpenLibrary(shim, NowAndForAll) == 0) throw new InvalidOperationException($"{shim} cannot be loaded.");
        string file = Path.Combine(Path.GetTempPath(), $"sa2va-peers-{Environment.ProcessId}.pt");
        try
        {
            Write(file);
            return torch.jit.load(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>A TorchScript archive: the code above, and a pickled object of its class without fields of its own.</summary>
    private static void Write(string file)
    {
        using ZipArchive archive = ZipFile.Open(file, ZipArchiveMode.Create);
        Add("m/data.pkl", [0x80, 2, .. "c__torch__\nM\n)"u8, 0x81, (byte)'}', (byte)'X', 8, 0, 0, 0, .. "training"u8, 0x88, .. "sb."u8]);
        Add("m/code/__torch__.py", Encoding.ASCII.GetBytes(Code));
        Add("m/constants.pkl", [0x80, 2, (byte)')', (byte)'.']);
        Add("m/version", "3\n"u8.ToArray());

        void Add(string name, byte[] content)
        {
            using Stream entry = archive.CreateEntry(name, CompressionLevel.NoCompression).Open();
            entry.Write(content);
        }
    }

    /// <summary>
    /// TorchSharp's library asks for a version of the C++ library that Debian 12 lacks, for one function that the shim gives: the demand is
    /// marked weak, in the copy beside this program alone.
    /// </summary>
    private static void LoosenVersion(string library)
    {
        const uint VersionNeeds = 0x6ffffffe;
        byte[] file = File.ReadAllBytes(library);
        int sections = checked((int)U64(file, 0x28)), count = U16(file, 0x3c);
        for (int s = 0; s < count; s++)
        {
            int section = sections + 64 * s;
            if (U32(file, section + 4) != VersionNeeds) continue;
            int names = checked((int)U64(file, sections + 64 * (int)U32(file, section + 40) + 24));
            int need = checked((int)U64(file, section + 24));
            for (uint next = 1; next != 0; need += (int)next)
            {
                int version = need + (int)U32(file, need + 8);
                for (int left = U16(file, need + 2); left > 0; left--)
                {
                    const ushort Weak = 2;
                    ReadOnlySpan<byte> name = file.AsSpan(names + (int)U32(file, version + 8));
                    Span<byte> flags = file.AsSpan(version + 4, 2);
                    ushort now = BinaryPrimitives.ReadUInt16LittleEndian(flags);
                    if (name.StartsWith("GLIBCXX_3.4.32\0"u8) && (now & Weak) == 0)
                    {
                        BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(now | Weak));
                        File.WriteAllBytes(library, file);
                    }
                    version += (int)U32(file, version + 12);
                }
                next = U32(file, need + 12);
            }
        }
    }

    private static ushort U16(byte[] file, int at) => BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(at));

    private static uint U32(byte[] file, int at) => BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at));

    private static ulong U64(byte[] file, int at) => BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(at));

    [LibraryImport("libc.so.6", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenLibrary(string file, int flags);
}
