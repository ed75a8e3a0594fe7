using System.Runtime.InteropServices;
using System.Text;
using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of modules and kernels.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const int InfoLogSize = 4, ErrorLog = 5, ErrorLogSize = 6;
    private const uint FatBinary = 0xba55ed50;

    private void AddModuleCalls()
    {
        Add<GivesModule>("cuModuleLoadDataEx", (module, image, options, keys, values) => Call("cuModuleLoadDataEx", context =>
        {
            NotNull(module, "the module");
            NotNull(image, "the image");
            if (options > 0) NotNull(keys, "the options");
            if (options > 0) NotNull(values, "the values of the options");
            string? failure = null;
            try
            {
                *module = Load(context, (byte*)image).Handle;
            }
            catch (DriverException e)
            {
                failure = e.Message;
                throw;
            }
            finally
            {
                Log(failure, options, keys, values);
            }
        }));
        Add<TakesHandle>("cuModuleUnload", module => Call("cuModuleUnload", context =>
        {
            dispatcher.Between(context, () =>
            {
                DriverModule gone = Get<DriverModule>(context, module);
                gone.IsUnloaded = true;
                foreach (ulong address in gone.Variables.Where(a => a != 0)) context.Memory.Free(address);
                foreach (DriverFunction f in gone.Functions.Values) handles.Remove(f.Handle);
                handles.Remove(module);
            });
        }));
        Add<GivesFunction>("cuModuleGetFunction", (function, module, name) => Call("cuModuleGetFunction", context =>
        {
            NotNull(function, "the function");
            NotNull(name, "the name");
            DriverModule of = Get<DriverModule>(context, module);
            string wanted = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name));
            if (!of.Functions.TryGetValue(wanted, out DriverFunction? known))
            {
                LoweredKernel kernel = of.Find(wanted)
                    ?? throw new DriverException(DriverResult.NotFound, $"the module has no kernel '{wanted}'");
                known = of.Functions[wanted] = handles.Add(new DriverFunction(of, kernel));
            }
            *function = known.Handle;
        }));
        Add<TakesFunctionAttribute>("cuFuncSetAttribute", (function, attribute, value) => Call("cuFuncSetAttribute", context =>
        {
            DriverFunction f = Get<DriverFunction>(context, function);
            if (attribute == 9) return; // the share of shared memory that one prefers
            if (attribute != 8) throw Invalid($"function attribute {attribute} cannot be set");
            int most = context.Device.Kind.SharedBytesPerBlock - f.Kernel.StaticShared;
            if (value < 0 || value > most)
                throw Invalid($"{f.Kernel.Name}: {value} bytes of dynamic shared memory, at most {most} on {context.Device.Kind.Name}");
            f.MostDynamicShared = value;
        }));
        Add<GivesFunctionAttribute>("cuFuncGetAttribute", (value, attribute, function) => Call("cuFuncGetAttribute", context =>
        {
            NotNull(value, "the value");
            DriverFunction f = Get<DriverFunction>(context, function);
            *value = attribute switch
            {
                0 => f.Kernel.MaxThreads,
                1 => f.Kernel.StaticShared,
                2 => 0, // constants
                3 => f.Kernel.LocalBytes,
                // What a compiler would need is not known: the number that any block of the allowed size can have.
                4 => Math.Min(255, 65536 / Math.Max(f.Kernel.MaxThreads, 1) / 8 * 8),
                5 or 6 => context.Device.Kind.Capability,
                7 => 0,
                8 => f.MostDynamicShared,
                9 => -1,
                _ => throw Invalid($"function attribute {attribute} is not known"),
            };
        }));
        AddLaunchCalls();
    }

    private DriverModule Load(DriverContext context, byte* image)
    {
        if (*(uint*)image == FatBinary || image[0] == 0x7f && image[1] == 'E' && image[2] == 'L' && image[3] == 'F')
            throw new DriverException(DriverResult.NoBinaryForGpu, "machine code cannot run on a virtual GPU; load the PTX",
                tellsCaller: true);
        string ptx = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(image));
        try
        {
            LoweredModule lowered = LoweredModule.Load(ptx, context.Device.Kind.Capability);
            if (Options.Version < lowered.LeastDriver)
                throw new DriverException(DriverResult.UnsupportedPtxVersion, $"PTX {lowered.Version} needs a driver of version "
                    + $"{lowered.LeastDriver}, this one is {Options.Version}", tellsCaller: true);
            context.HasDependentLaunches |= lowered.Kernels.Values.Any(k => k.UsesGridDependency);
            return handles.Add(new DriverModule(context, lowered, lowered.PlaceVariables(context.Memory)));
        }
        catch (PtxException e)
        {
            throw new DriverException(e.IsForOtherDevice ? DriverResult.NoBinaryForGpu : DriverResult.InvalidImage, e.Message,
                tellsCaller: true);
        }
    }

    /// <summary>Fills the caller's log of errors; sizes become what was written.</summary>
    private static void Log(string? failure, uint options, int* keys, void** values)
    {
        int log = -1, size = -1;
        for (int n = 0; n < options; n++)
        {
            if (keys[n] == ErrorLog) log = n;
            else if (keys[n] == ErrorLogSize) size = n;
            else if (keys[n] == InfoLogSize) values[n] = null;
        }
        if (size < 0) return;
        int room = (int)Math.Min((nuint)values[size], int.MaxValue);
        values[size] = log < 0 || values[log] == null || room == 0 ? null : (void*)Put(failure ?? "", (byte*)values[log], room);
    }
}
