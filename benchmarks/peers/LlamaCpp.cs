using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Sa2VA.Peers;

/// <summary>
/// A model in llama.cpp, called directly: its C interface as of the release that @node-llama-cpp/linux-x64 3.22.1 carries (v0.5.0). The
/// structures below are that release's; another one's differ.
/// </summary>
internal sealed unsafe partial class LlamaCpp : IDisposable
{
    private const string Library = "llama", Backends = "ggml";
    private const int MostTokens = 512;

    private static readonly Lazy<string> Folder = new(Prepare);

    private readonly nint _model, _context, _memory;

    /// <param name="file">GGUF.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="positions">Tokens that fit.</param>
    public LlamaCpp(string file, int threads, int positions)
    {
        _ = Folder.Value;
        ModelOptions model = DefaultModelOptions();
        _model = LoadModel(file, model);
        if (_model == 0) throw new InvalidOperationException($"llama.cpp cannot load {file}.");
        ContextOptions context = DefaultContextOptions();
        context.Positions = (uint)positions;
        (context.Batch, context.PhysicalBatch) = (MostTokens, MostTokens);
        (context.Threads, context.ThreadsOfBatches) = (threads, threads);
        _context = CreateContext(_model, context);
        if (_context == 0) throw new InvalidOperationException("llama.cpp cannot make a context.");
        _memory = MemoryOf(_context);
    }

    /// <summary>What of the processor it uses.</summary>
    public static string Version
    {
        get
        {
            _ = Folder.Value;
            return "v0.5.0 of @node-llama-cpp/linux-x64 3.22.1: " + Marshal.PtrToStringAnsi(SystemInfo());
        }
    }

    /// <summary>Drops the tokens from a position on.</summary>
    public void Keep(int position) => Remove(_memory, 0, position, -1);

    /// <summary>Runs tokens behind what is there, the logits of the last one with it.</summary>
    public void Decode(int[] tokens)
    {
        for (int at = 0; at < tokens.Length; at += MostTokens)
        {
            fixed (int* first = &tokens[at])
                if (Decode(_context, BatchOf(first, Math.Min(MostTokens, tokens.Length - at))) is not 0 and var error)
                    throw new InvalidOperationException($"llama.cpp: llama_decode returned {error}.");
        }
        if (Logits(_context, -1) is null) throw new InvalidOperationException("llama.cpp gave no logits.");
    }

    public void Dispose()
    {
        FreeContext(_context);
        FreeModel(_model);
    }

    private static string Prepare()
    {
        string natives = Path.Combine("bins", "linux-x64");
        string package = Path.Combine("node_modules", "@node-llama-cpp", "linux-x64", natives);
        string? at = AppContext.BaseDirectory;
        while (at is not null && !Directory.Exists(Path.Combine(at, package))) at = Path.GetDirectoryName(at);
        string folder = at is not null ? Path.Combine(at, package)
            : throw new InvalidOperationException($"There is no {package} here or above; benchmarks/peers/README.md says how to get it.");
        NativeLibrary.SetDllImportResolver(typeof(LlamaCpp).Assembly, (name, _, _) => name switch
        {
            Library => NativeLibrary.Load(Path.Combine(folder, "libllama.v0.5.0.so")),
            Backends => NativeLibrary.Load(Path.Combine(folder, "libggml.v0.5.0.so")),
            _ => 0,
        });
        SetLog(&Silent, 0);
        // The library for this processor is chosen among those of the folder.
        LoadBackends(folder);
        Initialise();
        return folder;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Silent(int level, byte* text, nint state)
    {
        const int Errors = 4;
        if (level == Errors) Console.Error.Write(Marshal.PtrToStringUTF8((nint)text));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ModelOptions
    {
        public nint Devices, BufferTypes;
        public int GpuLayers, SplitMode, LoadMode, LazyMode, MainGpu;
        public nint TensorSplit, Progress, ProgressState, Overrides;
        public byte VocabularyOnly, Check, ExtraBuffers, NoHost, NoAllocation, LoadsMtp;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ContextOptions
    {
        public uint Positions, Batch, PhysicalBatch, Sequences, Snapshots, MostOutputs, MostOutputsEach;
        public int Threads, ThreadsOfBatches, Kind, RopeScaling, Pooling, Attention, FlashAttention;
        public float RopeBase, RopeScale, YarnExtension, YarnAttention, YarnFast, YarnSlow;
        public uint YarnPositions;
        public float Defragmentation;
        public nint Evaluated, EvaluatedState;
        public int KeyType, ValueType;
        public nint Abort, AbortState;
        public byte Embeddings, Offload, NoTimes, OffloadOps, FullWindow, Unified;
        public nint Samplers;
        public nuint SamplerCount;
        public nint Other;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TokenBatch
    {
        public int Count;
        public int* Tokens;
        public float* Embeddings;
        public int* Positions, SequenceCounts;
        public int** Sequences;
        public sbyte* Outputs;
    }

    [LibraryImport(Library, EntryPoint = "llama_model_default_params")]
    private static partial ModelOptions DefaultModelOptions();

    [LibraryImport(Library, EntryPoint = "llama_context_default_params")]
    private static partial ContextOptions DefaultContextOptions();

    [LibraryImport(Library, EntryPoint = "llama_backend_init")]
    private static partial void Initialise();

    [LibraryImport(Backends, EntryPoint = "ggml_backend_load_all_from_path", StringMarshalling = StringMarshalling.Utf8)]
    private static partial void LoadBackends(string folder);

    [LibraryImport(Library, EntryPoint = "llama_log_set")]
    private static partial void SetLog(delegate* unmanaged[Cdecl]<int, byte*, nint, void> log, nint state);

    [LibraryImport(Library, EntryPoint = "llama_model_load_from_file", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint LoadModel(string file, ModelOptions options);

    [LibraryImport(Library, EntryPoint = "llama_init_from_model")]
    private static partial nint CreateContext(nint model, ContextOptions options);

    [LibraryImport(Library, EntryPoint = "llama_get_memory")]
    private static partial nint MemoryOf(nint context);

    [LibraryImport(Library, EntryPoint = "llama_memory_seq_rm")]
    [return: MarshalAs(UnmanagedType.U1)]
    private static partial bool Remove(nint memory, int sequence, int from, int to);

    [LibraryImport(Library, EntryPoint = "llama_batch_get_one")]
    private static partial TokenBatch BatchOf(int* tokens, int count);

    [LibraryImport(Library, EntryPoint = "llama_decode")]
    private static partial int Decode(nint context, TokenBatch batch);

    [LibraryImport(Library, EntryPoint = "llama_get_logits_ith")]
    private static partial float* Logits(nint context, int index);

    [LibraryImport(Library, EntryPoint = "llama_print_system_info")]
    private static partial nint SystemInfo();

    [LibraryImport(Library, EntryPoint = "llama_free")]
    private static partial void FreeContext(nint context);

    [LibraryImport(Library, EntryPoint = "llama_model_free")]
    private static partial void FreeModel(nint model);
}
