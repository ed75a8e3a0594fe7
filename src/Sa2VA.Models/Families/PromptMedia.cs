namespace Sa2VA.Models;

/// <summary>What of a prompt stands for a picture: tiles that are already in the image rows, and regions of the last tile.</summary>
/// <param name="Tiles">Tiles, thumbnail last; 0 for text alone.</param>
/// <param name="IsVideo">True when every tile is a frame.</param>
/// <param name="Regions">Cells of each region, as the family's grid has them.</param>
internal sealed record PromptMedia(int Tiles, bool IsVideo, IReadOnlyList<Mask> Regions);
