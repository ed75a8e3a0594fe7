using System.Runtime.InteropServices;
using System.Text;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Names and descriptions of return codes, as strings of C that stay where they are for as long as the process runs.</summary>
internal static class DriverTexts
{
    private static readonly Dictionary<DriverResult, (string Name, string Text)> Table = new()
    {
        [DriverResult.Success] = ("CUDA_SUCCESS", "no error"),
        [DriverResult.InvalidValue] = ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
        [DriverResult.OutOfMemory] = ("CUDA_ERROR_OUT_OF_MEMORY", "out of memory"),
        [DriverResult.NotInitialized] = ("CUDA_ERROR_NOT_INITIALIZED", "initialization error"),
        [DriverResult.Deinitialized] = ("CUDA_ERROR_DEINITIALIZED", "driver shutting down"),
        [DriverResult.DeviceUnavailable] = ("CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"),
        [DriverResult.NoDevice] = ("CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"),
        [DriverResult.InvalidDevice] = ("CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"),
        [DriverResult.InvalidImage] = ("CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"),
        [DriverResult.InvalidContext] = ("CUDA_ERROR_INVALID_CONTEXT", "invalid device context"),
        [DriverResult.NoBinaryForGpu] = ("CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"),
        [DriverResult.InvalidPtx] = ("CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"),
        [DriverResult.UnsupportedPtxVersion] =
            ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."),
        [DriverResult.InvalidHandle] = ("CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"),
        [DriverResult.IllegalState] = ("CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"),
        [DriverResult.NotFound] = ("CUDA_ERROR_NOT_FOUND", "named symbol not found"),
        [DriverResult.NotReady] = ("CUDA_ERROR_NOT_READY", "device not ready"),
        [DriverResult.IllegalAddress] = ("CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"),
        [DriverResult.LaunchOutOfResources] = ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"),
        [DriverResult.LaunchTimeout] = ("CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"),
        [DriverResult.MisalignedAddress] = ("CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"),
        [DriverResult.LaunchFailed] = ("CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"),
        [DriverResult.NotSupported] = ("CUDA_ERROR_NOT_SUPPORTED", "operation not supported"),
        [DriverResult.SystemDriverMismatch] =
            ("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"),
        [DriverResult.StreamCaptureUnsupported] =
            ("CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"),
        [DriverResult.StreamCaptureInvalidated] =
            ("CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"),
        [DriverResult.StreamCaptureMerge] =
            ("CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"),
        [DriverResult.StreamCaptureUnmatched] =
            ("CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"),
        [DriverResult.StreamCaptureUnjoined] = ("CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"),
        [DriverResult.StreamCaptureIsolation] =
            ("CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"),
        [DriverResult.CapturedEvent] =
            ("CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"),
        [DriverResult.InvalidClusterSize] = ("CUDA_ERROR_INVALID_CLUSTER_SIZE", "the cluster has more blocks than are allowed"),
        [DriverResult.StreamCaptureWrongThread] = ("CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD",
            "attempt to terminate a thread-local capture sequence from another thread"),
        [DriverResult.Unknown] = ("CUDA_ERROR_UNKNOWN", "unknown error"),
    };

    private static readonly Dictionary<DriverResult, (nint Name, nint Text)> Native =
        Table.ToDictionary(t => t.Key, t => (Copy(t.Value.Name), Copy(t.Value.Text)));

    public static nint Name(DriverResult result) => Native.TryGetValue(result, out var t) ? t.Name : 0;

    public static nint Text(DriverResult result) => Native.TryGetValue(result, out var t) ? t.Text : 0;

    public static string Described(DriverResult result) => Table.TryGetValue(result, out var t) ? t.Text : $"error {(int)result}";

    /// <summary>A string of C in memory that nobody moves.</summary>
    public static unsafe nint Copy(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte* copy = (byte*)NativeMemory.Alloc((nuint)bytes.Length + 1);
        bytes.CopyTo(new Span<byte>(copy, bytes.Length));
        copy[bytes.Length] = 0;
        return (nint)copy;
    }
}
