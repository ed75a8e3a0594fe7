using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Why files cannot be read or written is told in words of this program.</summary>
public sealed class FileTroubleTests
{
    [Fact]
    public void Causes_are_told_in_own_words()
    {
        if (OperatingSystem.IsWindows()) return;
        Assert.Equal("the disk is full", FileTrouble.Cause(new IOException("No space left on device : 'x.part'", 28)));
        Assert.Equal("the disk can only be read", FileTrouble.Cause(new IOException("x", 30)));
        Assert.Contains("99", FileTrouble.Cause(new IOException("x", 99)), StringComparison.Ordinal);
        Assert.DoesNotContain("x.part", FileTrouble.Cause(new UnauthorizedAccessException("x.part")), StringComparison.Ordinal);
        Assert.Equal("nobody reads it any more", FileTrouble.Cause(new IOException("Broken pipe", 32)));
        Assert.Equal("it ends too early", FileTrouble.Cause(new EndOfStreamException("Attempted to read past the end of the stream.")));
        Assert.Equal("it is a pipe", FileTrouble.Cause(new IOException("it is a pipe.")));
    }
}
