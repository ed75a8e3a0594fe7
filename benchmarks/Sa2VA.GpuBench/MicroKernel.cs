using System.Globalization;
using System.Text;

namespace Sa2VA.GpuBench;

/// <summary>
/// A kernel of one loop, as PTX: what comes before it, one turn of it, and how its result is made. Each thread stores its result, so that
/// no compiler leaves out what it is computed from; each block stores the clocks that its loop took.
/// </summary>
/// <remarks>
/// Registers: <c>%r</c> (32 bits), <c>%f</c>, <c>%d</c> (float64), <c>%q</c> (64 bits), <c>%p</c>; 64 of each, and 128 of <c>%f</c>.
/// <c>%t</c> is the thread, <c>%in</c> the memory that is read, <c>%one</c> a 1 that no compiler knows of, <c>%left</c> the turns that are
/// left, <c>%smem</c> where shared memory begins.
/// </remarks>
internal sealed record MicroKernel(string Name, int Threads)
{
    /// <summary>Before the loop.</summary>
    public string Before { get; init; } = "";

    /// <summary>A turn.</summary>
    public required string Turn { get; init; }

    /// <summary>Behind the loop, before the clock is read: waits for what is still under way.</summary>
    public string AfterTurns { get; init; } = "";

    /// <summary>Behind the loop; the last line sets <c>%result</c>.</summary>
    public required string Result { get; init; }

    /// <summary>Shared memory of a block.</summary>
    public int SharedBytes { get; init; } = 16;

    /// <summary>Whether it needs what came with compute capability 9.0.</summary>
    public bool IsOfHopper { get; init; }

    /// <summary>The module.</summary>
    public string Ptx => $$"""
        .version {{(IsOfHopper ? "8.0" : "7.0")}}
        .target {{(IsOfHopper ? "sm_90a" : "sm_80")}}
        .address_size 64
        .visible .entry {{Name}}(.param .u64 in, .param .u64 out, .param .u64 clocks, .param .u32 turns, .param .u32 one)
        .maxntid {{Threads}}, 1, 1
        {
        .reg .pred %p<64>;
        .reg .b32 %r<64>, %t, %one, %left, %smem, %result;
        .reg .b64 %q<64>, %in, %out, %clocks, %begin, %end;
        .reg .f32 %f<128>;
        .reg .f64 %d<64>;
        .shared .align 1024 .b8 smem[{{SharedBytes}}];
        ld.param.u64 %in, [in];
        ld.param.u64 %out, [out];
        ld.param.u64 %clocks, [clocks];
        ld.param.u32 %left, [turns];
        ld.param.u32 %one, [one];
        mov.u32 %t, %tid.x;
        mov.u32 %smem, smem;
        {{Before}}
        bar.sync 0;
        mov.u64 %begin, %clock64;
        TURN:
        .pragma "nounroll";
        {{Turn}}
        add.s32 %left, %left, -1;
        setp.ne.s32 %p0, %left, 0;
        @%p0 bra TURN;
        {{AfterTurns}}
        bar.sync 0;
        mov.u64 %end, %clock64;
        {{Result}}
        mov.u32 %r62, %ctaid.x;
        mad.lo.s32 %r63, %r62, {{Threads}}, %t;
        mul.wide.u32 %q62, %r63, 4;
        add.s64 %out, %out, %q62;
        st.global.u32 [%out], %result;
        setp.ne.s32 %p0, %t, 0;
        @%p0 bra DONE;
        mul.wide.u32 %q62, %r62, 8;
        add.s64 %clocks, %clocks, %q62;
        sub.s64 %end, %end, %begin;
        st.global.u64 [%clocks], %end;
        DONE:
        ret;
        }
        """;

    /// <summary>Lines for each of several numbers.</summary>
    public static string Each(int count, Func<int, string> lines)
    {
        var text = new StringBuilder();
        for (int n = 0; n < count; n++) text.Append(lines(n)).Append('\n');
        return text.ToString();
    }

    /// <summary>Registers one after the other, between braces.</summary>
    public static string Registers(string of, int first, int count) =>
        $"{{{string.Join(", ", Enumerable.Range(first, count).Select(n => string.Create(CultureInfo.InvariantCulture, $"%{of}{n}")))}}}";

    /// <summary>Adds float registers up, in order, and makes their sum the result.</summary>
    public static string SumOfFloats(int count) =>
        Each(count - 1, n => $"add.rn.f32 %f0, %f0, %f{n + 1};") + "mov.b32 %result, %f0;";
}
