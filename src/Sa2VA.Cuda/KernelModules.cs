using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// The kernels of a context: a module per op family, loaded when a plan first needs it, as machine code where this package has some for the
/// device, else as PTX.
/// </summary>
internal sealed unsafe class KernelModules(CudaContext context)
{
    private static readonly ConcurrentDictionary<string, byte[]?> Images = new();

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (nint Handle, bool IsPtx)> _modules = [];
    private readonly Dictionary<(string, string), CudaFunction> _functions = [];
    private readonly HashSet<string> _asked = [];

    /// <summary>The families that this package has.</summary>
    public static IEnumerable<string> Families => typeof(KernelModules).Assembly.GetManifestResourceNames()
        .Where(n => n.StartsWith("ptx/", StringComparison.Ordinal)).Select(n => n["ptx/".Length..]).Order(StringComparer.Ordinal);

    /// <summary>The modules that were loaded, and whether the driver had to compile them.</summary>
    public IReadOnlyList<LoadedKernels> Loaded
    {
        get
        {
            lock (_lock) return [.. _modules.Keys.Select(Describe)];
        }
    }

    /// <summary>The modules that plans and queues have asked for since the last call of this.</summary>
    public IReadOnlyList<LoadedKernels> TakeAsked()
    {
        lock (_lock)
        {
            LoadedKernels[] asked = [.. _asked.Order(StringComparer.Ordinal).Select(Describe)];
            _asked.Clear();
            return asked;
        }
    }

    /// <summary>A kernel by the file it is in and its name.</summary>
    /// <exception cref="DeviceException">The driver refuses the module, or it has no such kernel.</exception>
    public CudaFunction Function(string family, string name)
    {
        lock (_lock)
        {
            if (!_functions.TryGetValue((family, name), out CudaFunction? function))
            {
                using CudaContext.Scope scope = context.Enter();
                nint handle;
                fixed (byte* bytes = Encoding.UTF8.GetBytes(name + '\0'))
                    context.Check(context.Driver.ModuleGetFunction(&handle, Module(family), bytes),
                        $"looking for kernel {name} in {family}");
                _functions.Add((family, name), function = new CudaFunction(context, handle, (family, name)));
            }
            _asked.Add(family);
            return function;
        }
    }

    private LoadedKernels Describe(string family) => new(family, _modules[family].IsPtx, HashOf(family));

    /// <summary>Of the PTX behind its first line: sources that change without it make no other kernel.</summary>
    private static string HashOf(string family)
    {
        ReadOnlySpan<byte> ptx = Image($"ptx/{family}").AsSpan();
        return Convert.ToHexStringLower(SHA256.HashData(ptx[(ptx.IndexOf((byte)'\n') + 1)..].TrimEnd((byte)0)));
    }

    private nint Module(string family)
    {
        if (_modules.TryGetValue(family, out (nint Handle, bool) known)) return known.Handle;
        nint module = 0;
        bool isOfHopper = family.EndsWith("_hopper", StringComparison.Ordinal);
        string architecture = isOfHopper ? "90a" : $"{context.Device.Capability}";
        // A driver that is older than the assembler may not know the machine code's form.
        bool isPtx = Image($"cubin/sm_{architecture}/{family}") is not { } code || Load(code, &module) != CudaResult.Success;
        if (isPtx)
        {
            byte[] ptx = Image($"ptx/{family}") ?? throw new DeviceException($"This package has no kernels '{family}'.");
            context.Check(Load(ptx, &module),
                $"loading the kernels '{family}'{(isOfHopper ? $" ({CudaDevice.HopperVariable}=never does without them)" : "")}");
        }
        _modules.Add(family, (module, isPtx));
        return module;
    }

    private CudaResult Load(byte[] image, nint* module)
    {
        fixed (byte* bytes = image) return context.Driver.ModuleLoadDataEx(module, bytes, 0, null, null);
    }

    /// <summary>An embedded file, with a zero behind it.</summary>
    private static byte[]? Image(string name) => Images.GetOrAdd(name, static name =>
    {
        using Stream? stream = typeof(KernelModules).Assembly.GetManifestResourceStream(name);
        if (stream is null) return null;
        var bytes = new byte[stream.Length + 1];
        stream.ReadExactly(bytes, 0, bytes.Length - 1);
        return bytes;
    });
}

/// <summary>A kernel and what a launch of it may ask for.</summary>
internal sealed unsafe class CudaFunction
{
    private readonly CudaContext _context;
    private readonly string _kernel;
    private readonly int _ownShared;
    private int _shared;

    public CudaFunction(CudaContext context, nint handle, (string Family, string Kernel) name)
    {
        (_context, Handle, _kernel, Name) = (context, handle, name.Kernel, $"{name.Family}: {name.Kernel}");
        MaxThreads = Attribute(FunctionAttribute.MaxThreadsPerBlock);
        _ownShared = Attribute(FunctionAttribute.SharedSizeBytes);
        // What a launch may have without asking.
        _shared = (48 << 10) - _ownShared;
    }

    public CudaContext Context => _context;

    public nint Handle { get; }

    public string Name { get; }

    public int MaxThreads { get; }

    /// <summary>Launches it with one structure as its parameter.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="shared">Bytes of dynamic shared memory.</param>
    /// <param name="arguments">The parameter, laid out as the kernel declares it.</param>
    public void Launch<T>(nint stream, Grid grid, int threads, int shared, in T arguments) where T : unmanaged
    {
        fixed (T* pointer = &arguments) Launch(stream, grid, threads, shared, pointer);
    }

    /// <summary>The same with the parameter at an address.</summary>
    public void Launch(nint stream, Grid grid, int threads, int shared, void* parameter)
    {
        if (threads < 1 || threads > MaxThreads || grid.X is < 1 or > int.MaxValue || grid.Y is < 1 or > 65535 || grid.Z is < 1 or > 65535)
            throw new DeviceException($"Kernel {Name} cannot be launched with {threads} threads in a grid of {grid}.");
        if (shared > _shared) AllowShared(shared);
        LaunchTimer? timer = _context.Timers.IsEmpty ? null : _context.Timers.GetValueOrDefault(stream);
        nint begin = timer?.Begin() ?? 0;
        if (_context.Checked is { } launches) launches.Launch(this, stream, grid, threads, shared, parameter);
        else _context.Check(Enqueue(stream, grid, threads, shared, parameter), "launching", Name);
        timer?.End(begin, _kernel);
    }

    /// <summary>Has the driver launch it, within the limits that <see cref="Launch(nint, Grid, int, int, void*)"/> asserts.</summary>
    public CudaResult Enqueue(nint stream, Grid grid, int threads, int shared, void* parameter) => _context.Driver.LaunchKernel(
        Handle, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1, (uint)shared, stream, &parameter, null);

    private void AllowShared(int bytes)
    {
        if (bytes > _context.Device.SharedBytes - _ownShared)
            throw new DeviceException($"Kernel {Name} needs {bytes} bytes of shared memory beside {_ownShared} of its own; "
                + $"{_context.Device.Name} has {_context.Device.SharedBytes}.");
        _context.Check(_context.Driver.FuncSetAttribute(Handle, FunctionAttribute.MaxDynamicSharedSizeBytes, bytes),
            $"asking for shared memory for {Name}");
        _shared = bytes;
    }

    private int Attribute(FunctionAttribute attribute)
    {
        int value;
        _context.Check(_context.Driver.FuncGetAttribute(&value, attribute, Handle), $"asking about {Name}");
        return value;
    }
}

/// <summary>Blocks of a launch.</summary>
internal readonly record struct Grid(long X, int Y = 1, int Z = 1)
{
    /// <summary>As many blocks as it takes for that many items.</summary>
    public static Grid Over(long items, int each) => new(Math.Max(1, (items + each - 1) / each));

    public override string ToString() => $"{X}×{Y}×{Z}";
}

/// <summary>Kernels of one source file that are loaded.</summary>
/// <param name="Family">The file's name: the op's, in snake case.</param>
/// <param name="IsPtx">True if the driver compiled them from PTX, false if this package had machine code for the device.</param>
/// <param name="Hash">SHA-256 of the PTX without its first line, which names the sources.</param>
public sealed record LoadedKernels(string Family, bool IsPtx, string Hash);
