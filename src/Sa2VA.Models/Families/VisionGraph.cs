using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>One tile → its tokens.</summary>
/// <param name="Graph">What runs.</param>
/// <param name="Image">Input: the tile.</param>
/// <param name="Tokens">Output [tokens of a tile, H], H the width of the language model.</param>
internal sealed record VisionGraph(Graph Graph, Tensor Image, Tensor Tokens);
