using System.Globalization;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Arguments;

/// <summary>Places on a picture; the option may be given several times.</summary>
internal sealed class ClickListOption(string name, string description) : ValueOption<Click[]>(name, "X,Y[,+|-]", description)
{
    private protected override Click[] Read(string[] given) => Array.ConvertAll(given, One);

    private Click One(string text)
    {
        string[] parts = NotEmpty(text).Split(',', StringSplitOptions.TrimEntries);
        return parts.Length is 2 or 3 && Pixels.Read(parts[0], out float x) && Pixels.Read(parts[1], out float y)
            && parts is [_, _] or [_, _, "+" or "-"]
            ? new Click(x, y, Inside: parts is not [_, _, "-"])
            : throw Refused("column and row in pixels and + (inside, the default) or - (outside), such as 120,80 or 120,80,-", text);
    }
}

/// <summary>A rectangle on a picture; null if it is not given.</summary>
internal sealed class BoxOption(string name, string description) : ValueOption<Box?>(name, "LEFT,TOP,RIGHT,BOTTOM", description)
{
    private protected override Box? Read(string[] given)
    {
        string text = One(given);
        string[] parts = NotEmpty(text).Split(',', StringSplitOptions.TrimEntries);
        return parts.Length == 4 && Pixels.Read(parts[0], out float left) && Pixels.Read(parts[1], out float top)
            && Pixels.Read(parts[2], out float right) && Pixels.Read(parts[3], out float bottom)
            ? new Box(left, top, right, bottom)
            : throw Refused("left, top, right and bottom edge in pixels, such as 20,30,180,160", text);
    }
}

/// <summary>Coordinates in pixels, whole or not.</summary>
internal static class Pixels
{
    /// <summary>Reads one; what is outside a picture is refused with the picture.</summary>
    public static bool Read(string text, out float value) =>
        float.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value)
        && float.IsFinite(value);

    /// <summary>As it would be given.</summary>
    public static string Text(float value) => value.ToString("R", CultureInfo.InvariantCulture);
}
