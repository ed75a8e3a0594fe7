using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Attention by its definition: heads are blocks of the last axis, query head h reads key/value head ⌊h·kvHeads/heads⌋.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key/value heads.</param>
/// <param name="HeadDim">Channels of a query or key head.</param>
/// <param name="ValueDim">Channels of a value head.</param>
internal readonly record struct AttentionReference(int Heads, int KvHeads, int HeadDim, int ValueDim)
{
    /// <summary>Factor of q·kᵀ.</summary>
    public float Scale { get; init; } = 1 / MathF.Sqrt(HeadDim);

    /// <summary>In float64, and in float32 with every step rounded.</summary>
    /// <param name="q">[n, heads·d].</param>
    /// <param name="k">[m, kvHeads·d].</param>
    /// <param name="v">[m, kvHeads·e].</param>
    /// <param name="start">Causal: position of query 0 among the keys; null means that all see all.</param>
    public (double[] Exact, float[] Naive) Compute(float[] q, float[] k, float[] v, int? start = null)
    {
        int n = q.Length / (Heads * HeadDim), m = k.Length / (KvHeads * HeadDim);
        var exact = new double[n * Heads * ValueDim];
        var naive = new float[exact.Length];
        for (int item = 0; item < n * Heads; item++)
        {
            int visible = start is null ? m : Math.Min(m, start.Value + item / Heads + 1), kv = item % Heads * KvHeads / Heads;
            var s = new double[visible];
            var f = new float[visible];
            for (int j = 0; j < visible; j++)
            {
                for (int c = 0; c < HeadDim; c++)
                {
                    float a = q[item * HeadDim + c], b = k[(j * KvHeads + kv) * HeadDim + c];
                    s[j] += (double)a * b;
                    f[j] += a * b;
                }
                s[j] *= Scale;
                f[j] *= Scale;
            }
            double max = s.Max(), sum = 0;
            float maxF = f.Max(), sumF = 0;
            for (int j = 0; j < visible; j++)
            {
                sum += s[j] = Math.Exp(s[j] - max);
                sumF += f[j] = MathF.Exp(f[j] - maxF);
            }
            for (int c = 0; c < ValueDim; c++)
            {
                double o = 0;
                float of = 0;
                for (int j = 0; j < visible; j++)
                {
                    float b = v[(j * KvHeads + kv) * ValueDim + c];
                    o += s[j] * b;
                    of += f[j] * b;
                }
                exact[item * ValueDim + c] = o / sum;
                naive[item * ValueDim + c] = of / sumF;
            }
        }
        return (exact, naive);
    }

    /// <summary>
    /// With all that is multiplied stored in BF16: queries, keys, values, and the softmax's weights. What tensor cores do, and a framework
    /// that keeps its tensors in 16 bits. The result is rounded too.
    /// </summary>
    /// <inheritdoc cref="Compute"/>
    public float[] Narrow(float[] q, float[] k, float[] v, int? start = null)
    {
        int n = q.Length / (Heads * HeadDim), m = k.Length / (KvHeads * HeadDim);
        var result = new float[n * Heads * ValueDim];
        for (int item = 0; item < n * Heads; item++)
        {
            int visible = start is null ? m : Math.Min(m, start.Value + item / Heads + 1), kv = item % Heads * KvHeads / Heads;
            var weights = new float[visible];
            for (int j = 0; j < visible; j++)
                for (int c = 0; c < HeadDim; c++)
                    weights[j] += BFloat16.Round(q[item * HeadDim + c]) * BFloat16.Round(k[(j * KvHeads + kv) * HeadDim + c]);
            float max = weights.Max(), sum = 0;
            for (int j = 0; j < visible; j++) sum += weights[j] = MathF.Exp((weights[j] - max) * Scale);
            for (int c = 0; c < ValueDim; c++)
            {
                float o = 0;
                for (int j = 0; j < visible; j++)
                    o += BFloat16.Round(weights[j] / sum) * BFloat16.Round(v[(j * KvHeads + kv) * ValueDim + c]);
                result[item * ValueDim + c] = BFloat16.Round(o);
            }
        }
        return result;
    }
}
