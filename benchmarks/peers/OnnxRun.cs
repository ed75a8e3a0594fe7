using Microsoft.ML.OnnxRuntime;

namespace Sa2VA.Peers;

/// <summary>A model of one input in ONNX Runtime on the CPU, all its graph optimisations on.</summary>
internal sealed class OnnxRun : IDisposable
{
    private readonly InferenceSession _session;
    private readonly OrtValue _input;
    private readonly RunOptions _options = new();

    public OnnxRun(string file, int threads, float[] input, params long[] shape)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        _session = new InferenceSession(file, options);
        _input = OrtValue.CreateTensorValueFromMemory(input, shape);
    }

    public static string Version => OrtEnv.Instance().GetVersionString();

    public void Run() => _session.Run(_options, _session.InputNames, [_input], _session.OutputNames).Dispose();

    /// <summary>One of the results.</summary>
    public float[] Result(int index = 0)
    {
        using IDisposableReadOnlyCollection<OrtValue> results =
            _session.Run(_options, _session.InputNames, [_input], _session.OutputNames);
        return results[index].GetTensorDataAsSpan<float>().ToArray();
    }

    public void Dispose()
    {
        _input.Dispose();
        _session.Dispose();
        _options.Dispose();
    }
}
