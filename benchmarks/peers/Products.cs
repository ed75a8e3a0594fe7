using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Tests;
using Sa2VA.Verification;

namespace Sa2VA.Peers;

/// <summary>Matrix products at shapes of Sa2VA-1B: rows × inputs × outputs.</summary>
internal static class Products
{
    private static readonly (int Rows, int Inputs, int Outputs, string Where)[] Shapes =
    [
        (1025, 1024, 1024, "vision tower"), (1025, 1024, 4096, "vision tower"), (1025, 4096, 1024, "vision tower"),
        (4096, 576, 1728, "image encoder, stage 3"), (4096, 576, 2304, "image encoder, stage 3"),
        (4096, 2304, 576, "image encoder, stage 3"), (16384, 288, 1152, "image encoder, stage 2"),
        (65536, 144, 432, "image encoder, stage 1"), (512, 896, 4864, "prefill"), (1330, 4864, 896, "prefill"),
    ];

    public static void Measure(int rounds, int[] threads, string scratch)
    {
        foreach ((int rows, int inputs, int outputs, string where) in Shapes)
        {
            var random = new Random(3);
            float[] x = Values(random, rows * inputs);
            // Numbers that BF16 holds: every contestant multiplies the same.
            float[] w = [.. Values(random, outputs * inputs).Select(v => BFloat16.Round(v))];
            var y = new float[rows * outputs];
            string model = Path.Combine(scratch, "product.onnx");
            Write(model, rows, inputs, outputs, w);
            using var torch = new OneDnn(x, w, rows, inputs, outputs);
            foreach (int count in threads)
            {
                using var ours = new Product(count, rows, inputs, outputs, x, w, DType.F32);
                using var ours16 = new Product(count, rows, inputs, outputs, x, w, DType.BF16);
                using var onnx = new OnnxRun(model, count, x, rows, inputs);
                OneDnn.SetThreads(count);
                List<Contestant> contestants =
                [
                    new("ours, f32 weights", ours.Run),
                    new("ours, bf16 weights", ours16.Run),
                    new("oneDNN f32", torch.Run),
                    new("libtorch f32 (MKL)", torch.RunTorch),
                    new("OpenBLAS f32", () => OpenBlas.Multiply(count, rows, inputs, outputs, x, w, y)),
                    new("ONNX Runtime f32", onnx.Run),
                    Ceiling.Of(Ceiling.Peak, count),
                ];
                List<Taken> taken = Contest.Hold(count, rounds, contestants);
                float[] result = ours.Result();
                OpenBlas.Multiply(count, rows, inputs, outputs, x, w, y);
                var apart = new Dictionary<string, double>
                {
                    ["ours, bf16 weights"] = Numbers.Apart(result, ours16.Result()),
                    ["oneDNN f32"] = Numbers.Apart(result, torch.Result()),
                    ["OpenBLAS f32"] = Numbers.Apart(result, y),
                    ["ONNX Runtime f32"] = Numbers.Apart(result, onnx.Result()),
                };
                Results.Case("product", $"{rows}×{inputs}×{outputs} ({where})", count, 2.0 * rows * inputs * outputs, null, taken, apart);
            }
        }
    }

    private static float[] Values(Random random, int count)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = random.NextSingle() * 2 - 1;
        return values;
    }

    private static void Write(string file, int rows, int inputs, int outputs, float[] w)
    {
        using var g = new OnnxGraph(file);
        string y = g.Node("MatMul", [g.Input("x", rows, inputs), g.Weight(Numbers.Transposed(w, outputs, inputs), inputs, outputs)]);
        g.Output(y, rows, outputs);
        g.Save();
    }

    /// <summary>A linear layer without bias of this engine, its weights packed beforehand.</summary>
    private sealed class Product : IDisposable
    {
        private readonly CpuBackend _backend;
        private readonly GraphRun _run;
        private readonly Tensor _y;

        public Product(int threads, int rows, int inputs, int outputs, float[] x, float[] w, DType type)
        {
            _backend = new CpuBackend(new CpuOptions { Threads = threads });
            var weights = new TestWeights();
            weights.Add("w", type, new Shape(outputs, inputs), w);
            var g = new GraphBuilder("product", weights);
            Tensor input = g.Input("x", DType.F32, new Shape(rows, inputs));
            _y = g.Output("y", g.Linear(input, g.Weight("w")));
            _run = new GraphRun(_backend, g.Build(), default);
            _run.Write(input, x);
        }

        public void Run() => _run.Execute();

        public float[] Result() => _run.Execute().Floats(_y);

        public void Dispose()
        {
            _run.Dispose();
            _backend.Dispose();
        }
    }
}
