namespace Sa2VA.Tests;

/// <summary>The check of tensor maps' addresses on listings as nvdisasm writes them, with the fault and without.</summary>
public sealed class TensorMapAddressTests
{
    /// <summary>What ptxas 12.4 made of a choice between two maps before cvta.param: the base is loaded and never used.</summary>
    private const string Chosen = """
                /*0010*/                   ULDC UR4, c[0x0][0x340] ;
                /*0020*/                   ULDC.64 UR6, c[0x0][0x198] ;
                /*0030*/                   UISETP.NE.AND UP0, UPT, UR4, URZ, UPT ;
                /*0040*/                   UMOV UR5, URZ ;
                /*0050*/                   UMOV UR4, 0x30 ;
                /*0060*/                   USEL UR4, UR4, 0xb0, UP0 ;
                /*0070*/                   UTMACCTL.PF [UR4] ;
                /*0080*/                   EXIT ;
        """;

    /// <summary>A branch in the choice's place: both maps have the base, the second under a guard.</summary>
    private const string Branched = """
                /*0010*/                   ULDC UR4, c[0x0][0x340] ;
                /*0020*/                   UISETP.NE.AND UP0, UPT, UR4, URZ, UPT ;
                /*0030*/                   PLOP3.LUT P0, PT, PT, PT, UP0, 0x80, 0x0 ;
                /*0040*/                   @!UP0 ULDC.64 UR4, c[0x0][0x198] ;
                /*0050*/                   @!UP0 UIADD3 UR4, UP1, UR4, 0xb0, URZ ;
                /*0060*/                   @!UP0 UIADD3.X UR5, URZ, UR5, URZ, UP1, !UPT ;
                /*0070*/                   @!UP0 UTMACCTL.PF [UR4] ;
                /*0080*/              @!P0 EXIT ;
                /*0090*/                   ULDC.64 UR4, c[0x0][0x198] ;
                /*00a0*/                   UIADD3 UR4, UP0, UR4, 0x30, URZ ;
                /*00b0*/                   UIADD3.X UR5, URZ, UR5, URZ, UP0, !UPT ;
                /*00c0*/                   UTMACCTL.PF [UR4] ;
                /*00d0*/                   EXIT ;
        """;

    /// <summary>A loop as the products have it.</summary>
    private const string Looped = """
                /*0010*/                   ULDC.64 UR20, c[0x0][0x198] ;
        .L_x_1:
                /*0020*/                   UIADD3 UR6, UP0, UR20, 0x30, URZ ;
                /*0030*/                   UIADD3.X UR7, URZ, UR21, URZ, UP0, !UPT ;
        .L_x_2:
                /*0040*/               @P0 ELECT P1, URZ, PT ;
                /*0050*/                   UTMALDG.2D [UR8], [UR6] ;
                /*0060*/               @P0 BRA.U.ANY `(.L_x_2) ;
                /*0070*/                   UIADD3 UR4, UR4, 0x1, URZ ;
                /*0080*/              @!P0 BRA `(.L_x_1) ;
                /*0090*/                   EXIT ;
        """;

    [Theory]
    [InlineData(Branched, 2)]
    [InlineData(Looped, 1)]
    public void Addresses_with_the_base_are_right(string listing, int maps)
    {
        Assert.Equal(maps, TensorMapAddresses.Count(listing));
        Assert.Empty(TensorMapAddresses.Forgotten(listing));
    }

    [Theory]
    [InlineData(Chosen, "", "", "0070 UTMACCTL.PF [UR4]")]
    [InlineData(Looped, "UIADD3 UR4, UR4, 0x1, URZ", "CALL.REL.NOINC `($slow)", "0050 UTMALDG.2D [UR8], [UR6]")]
    // Half of the address, one of two paths, the second time around.
    [InlineData(Looped, "UR21, URZ, UP0", "URZ, URZ, UP0", "0050 UTMALDG.2D [UR8], [UR6]")]
    [InlineData(Looped, "UIADD3 UR6, UP0, UR20", "@P2 UIADD3 UR6, UP0, UR20", "0050 UTMALDG.2D [UR8], [UR6]")]
    [InlineData(Looped, "UIADD3 UR4, UR4", "UIADD3 UR21, UR4", "0050 UTMALDG.2D [UR8], [UR6]")]
    [InlineData(Branched, "@!UP0 ULDC.64 UR4", "@UP0 ULDC.64 UR4", "0070 UTMACCTL.PF [UR4]")]
    public void A_forgotten_base_is_found(string listing, string right, string wrong, string told)
    {
        string planted = right == "" ? listing : listing.Replace(right, wrong, StringComparison.Ordinal);
        Assert.NotEqual(right != "", planted == listing);
        Assert.Contains(told, TensorMapAddresses.Forgotten(planted));
    }
}
