namespace Sa2VA.Models;

/// <summary>What of a prompt stands for a picture: tiles that are already in the image rows, and regions of the last tile.</summary>
/// <param name="Tiles">Tokens of each tile, thumbnail last; none for text alone.</param>
/// <param name="IsVideo">True when every tile is a frame.</param>
/// <param name="Regions">Cells of each region, as the family's grid has them.</param>
internal sealed record PromptMedia(IReadOnlyList<TokenGrid> Tiles, bool IsVideo, IReadOnlyList<Mask> Regions)
{
    /// <summary>The number that the first row has among those of all pictures of the conversation.</summary>
    public int FirstRow { get; init; }

    /// <summary>Image rows of all tiles.</summary>
    public int Rows => Tiles.Sum(t => t.Count);
}
