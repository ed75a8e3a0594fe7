using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A frame with a prompt, which stands without memory or has looked at it already (<see cref="MemoryFeaturesGraph"/>).</summary>
internal sealed class PromptedFrameGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="prompts">The model's prompt encoder.</param>
    /// <param name="multimask">True to choose among candidates 1…3.</param>
    /// <param name="dense">True to take a dense prompt as input; false for "no mask".</param>
    /// <param name="memory">True if the frame's tokens know of the object's past.</param>
    public PromptedFrameGraph(IWeightSource weights, string prefix, GroundingConfig config, PromptEncoder prompts, bool multimask,
        bool dense, bool memory = false)
    {
        var g = new GraphBuilder("prompted frame", weights);
        WeightScope w = g.At(prefix);
        Frame = FrameInputs.Declare(g, config);
        Prompt = new FramePrompt(g, config, dense);
        Tensor features = memory ? Frame.F
            : g.Add(Frame.F, g.Constant(w.Get("no_mem_embed", 1, 1, config.DModel), new Shape(1, config.DModel)));
        Outputs = MaskOutputs.Declare(g, Prompt.Decode(g, features, Frame.High, prompts, w, config, multimask));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    public FrameInputs Frame { get; }

    public FramePrompt Prompt { get; }

    public MaskOutputs Outputs { get; }
}
