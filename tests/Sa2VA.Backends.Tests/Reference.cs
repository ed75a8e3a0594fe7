using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Functions that .NET lacks in double, and the activations in both precisions.</summary>
internal static class Reference
{
    /// <summary>The error function by its power series up to 3, by the continued fraction of erfc beyond; about 1e-15.</summary>
    public static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (a > 6) return Math.Sign(x);
        if (a <= 3)
        {
            double term = a, sum = a;
            for (int n = 1; n < 120; n++)
            {
                term *= -a * a / n;
                sum += term / (2 * n + 1);
            }
            return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * sum;
        }
        double fraction = a;
        for (int n = 120; n > 0; n--) fraction = a + n / 2.0 / fraction;
        return Math.Sign(x) * (1 - Math.Exp(-a * a) / Math.Sqrt(Math.PI) / fraction);
    }

    public static double Activate(double x, Activation f) => f switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Gelu => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
        Activation.GeluTanh => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        Activation.Sigmoid => 1 / (1 + Math.Exp(-x)),
        _ => x,
    };

    /// <summary>The same with every step rounded to float32.</summary>
    public static float Activate(float x, Activation f) => f switch
    {
        Activation.Relu => MathF.Max(x, 0),
        Activation.Gelu => 0.5f * x * (1 + (float)Erf(x * 0.70710677f)),
        Activation.GeluTanh => 0.5f * x * (1 + MathF.Tanh(0.7978846f * (x + 0.044715f * x * x * x))),
        Activation.Silu => x / (1 + MathF.Exp(-x)),
        Activation.Sigmoid => 1 / (1 + MathF.Exp(-x)),
        _ => x,
    };
}
