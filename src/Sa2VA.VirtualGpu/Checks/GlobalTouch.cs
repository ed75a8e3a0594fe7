namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// How an instruction touches global memory. Strong accesses (volatile, relaxed, acquire, release, atomics) are made to meet each other.
/// </summary>
internal enum GlobalTouch
{
    Read,
    Write,
    StrongRead,

    /// <summary>A strong store, or an atomic, which reads as well.</summary>
    StrongWrite,
}

internal static class GlobalTouches
{
    public const int Kinds = 4;

    /// <summary>Whether two accesses of different blocks to one byte may not be: nothing orders the blocks of a launch.</summary>
    public static bool Races(GlobalTouch a, GlobalTouch b) =>
        a == GlobalTouch.Write || b == GlobalTouch.Write || a == GlobalTouch.Read && b == GlobalTouch.StrongWrite
        || a == GlobalTouch.StrongWrite && b == GlobalTouch.Read;

    public static bool Writes(this GlobalTouch touch) => touch is GlobalTouch.Write or GlobalTouch.StrongWrite;

    public static string Verb(this GlobalTouch touch, bool past) => touch switch
    {
        GlobalTouch.Read or GlobalTouch.StrongRead => past ? "read" : "reads",
        _ => past ? "wrote" : "writes",
    };
}
