using Sa2VA.Media;

namespace Sa2VA.Tests;

public class NaturalOrderTests
{
    [Fact]
    public void Different_names_never_compare_as_equal()
    {
        string[] names = ["", "0", "00", "1", "01", "001", "1a", "01a", "a1", "a01", "a1b2", "a01b2", "a1b02", "a01b02", "9", "10", "b"];
        foreach (string x in names)
        {
            foreach (string y in names)
            {
                int order = Math.Sign(NaturalOrder.Instance.Compare(x, y));
                Assert.Equal(-order, Math.Sign(NaturalOrder.Instance.Compare(y, x)));
                Assert.Equal(x == y, order == 0);
            }
        }
        // So the order of a folder's listing cannot matter.
        string[] sorted = [.. names.Order(NaturalOrder.Instance)];
        Assert.Equal(sorted, names.Reverse().Order(NaturalOrder.Instance));
    }
}
