namespace Sa2VA.Core;

/// <summary>Functions that an op can apply to its result before storing it.</summary>
public enum Activation
{
    /// <summary>The identity.</summary>
    None,
    /// <summary>max(x, 0).</summary>
    Relu,
    /// <summary>x·Φ(x) with the error function, as all of Sa2VA uses it.</summary>
    Gelu,
    /// <summary>The tanh approximation of GELU.</summary>
    GeluTanh,
    /// <summary>x·sigmoid(x).</summary>
    Silu,
    /// <summary>1/(1+e^−x).</summary>
    Sigmoid,
}
