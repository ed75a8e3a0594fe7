using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>One tile → its tokens, written into the image rows that the language model reads.</summary>
/// <param name="Graph">What runs.</param>
/// <param name="Image">Input: the tile.</param>
/// <param name="Tokens">State [rows, H], H the width of the language model.</param>
/// <param name="FirstRow">Row that the tile's first token goes to.</param>
/// <param name="TokensPerTile">Rows that one run writes.</param>
internal sealed record VisionGraph(Graph Graph, Tensor Image, Tensor Tokens, RuntimeScalar FirstRow, int TokensPerTile);
