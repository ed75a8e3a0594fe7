namespace Sa2VA.VirtualGpu.Driver;

/// <summary>What calls have made and not given back: a program that ends well leaves nothing.</summary>
/// <param name="Contexts">Contexts.</param>
/// <param name="Modules">Modules.</param>
/// <param name="Streams">Streams.</param>
/// <param name="Events">Events.</param>
/// <param name="Graphs">Graphs, executable ones too.</param>
/// <param name="DeviceAllocations">Pieces of device memory by cuMemAlloc and cuMemCreate.</param>
/// <param name="DeviceBytes">Their bytes as the devices count them.</param>
/// <param name="HostAllocations">Pieces of pinned host memory.</param>
/// <param name="HostBytes">Their bytes.</param>
/// <param name="Reservations">Reserved pieces of addresses.</param>
/// <param name="Mappings">Mappings of memory into them.</param>
public readonly record struct LiveObjects(int Contexts, int Modules, int Streams, int Events, int Graphs, int DeviceAllocations,
    long DeviceBytes, int HostAllocations, long HostBytes, int Reservations, int Mappings);
