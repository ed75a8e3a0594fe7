using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>A recorded graph and its plan on the model's device.</summary>
internal readonly record struct Compiled<TGraph>(TGraph Graph, ExecutionPlan Plan);
