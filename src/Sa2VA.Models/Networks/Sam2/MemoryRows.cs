using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The rows that tracked objects attend to: an object's memories, then its pointers; and so object by object. Pointers have no place on the
/// grid, so the keys of the two meet only behind the rotary code.
/// </summary>
/// <param name="Values">Both [M + P, Dm].</param>
/// <param name="Placed">The memories' rows with their position codes added [M, Dm]: what keys are made of.</param>
/// <param name="Pointers">The pointers' rows [P, Dm]; null without.</param>
/// <param name="All">M + P where they are run-time lengths.</param>
/// <param name="Lengths">Which rows are whose; null for one object.</param>
internal sealed record MemoryRows(Tensor Values, Tensor Placed, Tensor? Pointers, RuntimeScalar? All = null, BankLengths? Lengths = null)
{
    /// <summary>Records the keys of both, object by object [M + P, C].</summary>
    public Tensor Join(GraphBuilder g, Tensor memories, Tensor? pointers) =>
        pointers is null ? memories : Join(g, memories, pointers, All, Lengths);

    /// <summary>Records rows of memories and of pointers, object by object.</summary>
    public static Tensor Join(GraphBuilder g, Tensor memories, Tensor pointers, RuntimeScalar? all, BankLengths? lengths) =>
        lengths is null
            ? g.Concat([memories, pointers], all)
            : g.Concat([memories, pointers], [lengths.Memories, lengths.Pointers], all);
}

/// <summary>Rows of each object, as lists I32 [objects].</summary>
/// <param name="Memories">Of its memories.</param>
/// <param name="Pointers">Of its pointers.</param>
/// <param name="All">Of both.</param>
internal sealed record BankLengths(Tensor Memories, Tensor Pointers, Tensor All);
