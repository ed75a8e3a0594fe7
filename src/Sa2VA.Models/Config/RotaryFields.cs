namespace Sa2VA.Models;

/// <summary>
/// The rotary code's settings: <c>rope_theta</c> and <c>rope_scaling</c>, or the <c>rope_parameters</c> that newer versions of transformers
/// write in their place, flat or by type of layer. What is said twice must agree; what changes the code is refused under every name.
/// </summary>
/// <param name="Theta">Base of the frequencies.</param>
/// <param name="Positions">Positions up to which the code is that of plain frequencies.</param>
/// <param name="Sections">Frequencies of three axes, or null.</param>
internal readonly record struct RotaryFields(double Theta, int Positions, RotarySections? Sections)
{
    private const string LayerType = "full_attention";

    // Parts by type of layer; no layer of another type than the first is supported, so what the others say is of no account.
    private static readonly string[] LayerTypes = [LayerType, "sliding_attention", "chunked_attention", "linear_attention"];

    /// <param name="language">The decoder's object.</param>
    /// <param name="positions">Its <c>max_position_embeddings</c>.</param>
    /// <param name="axes">True for models whose positions have three axes; others may not name sections of them.</param>
    public static RotaryFields Read(ConfigFields language, int positions, bool axes)
    {
        var found = new Settings { Positions = positions, TakesSections = axes };
        CheckPart(language, found);
        if (language.Has("rope_theta")) found.Add(language, "rope_theta", "rope_theta");
        if (language.Object("rope_scaling") is { } scaling)
        {
            if (!scaling.Has("type") && !scaling.Has("rope_type"))
                throw language.Bad("rope_scaling", "names no type; only dynamic and default are supported");
            found.Add(scaling, "rope_scaling");
        }
        if (language.Object("rope_parameters") is { } parameters)
        {
            found.Add(parameters, "rope_parameters");
            if (parameters.Object(LayerType) is { } full) found.Add(full, $"rope_parameters.{LayerType}");
        }
        // Upstream's class would take 10,000, which no release has: more likely the file says it in a way that is not known here.
        if (found.Theta is not { } theta)
            throw language.Bad("rope_theta", "is missing, and so is rope_parameters.rope_theta, its newer place");
        return new RotaryFields(theta, found.Positions, found.Sections);
    }

    private static void CheckPart(ConfigFields fields, Settings found)
    {
        if (fields.Number("partial_rotary_factor", 0, 1, 1) != 1)
            throw fields.Bad("partial_rotary_factor", "is not 1, the only supported value");
        found.Positions = Math.Min(found.Positions, fields.Int("original_max_position_embeddings", 1, 1 << 24, found.Positions));
    }

    private sealed class Settings
    {
        private const string SectionField = "mrope_section", InterleavedField = "mrope_interleaved";

        private string? _thetaAt, _type, _typeAt;

        public double? Theta { get; private set; }

        public int Positions { get; set; }

        public bool TakesSections { get; init; }

        public RotarySections? Sections { get; private set; }

        public void Add(ConfigFields part, string at)
        {
            foreach (string name in part.Names)
                if (name is not ("rope_theta" or "type" or "rope_type" or "factor" or "partial_rotary_factor"
                        or "original_max_position_embeddings")
                    && !LayerTypes.Contains(name) && !(TakesSections && name is SectionField or InterleavedField))
                    throw part.Bad(name, "is a setting of the rotary code that is not supported");
            CheckPart(part, this);
            part.Number("factor", 1, 1e6, 1);
            foreach (string name in (ReadOnlySpan<string>)["type", "rope_type"])
            {
                if (part.Text(name) is not { } type) continue;
                // "dynamic" is the identity up to max_position_embeddings, beyond which no prompt is accepted.
                // What older files call "mrope" is named by its sections.
                if (type == "mrope" && TakesSections) type = "default";
                if (type is not ("dynamic" or "default")) throw part.Bad(name, $"is '{type}'; only dynamic and default are supported");
                if (_type is not null && _type != type)
                    throw part.Bad(name, $"is '{type}', but {_typeAt} is '{_type}'; keep the right one");
                (_type, _typeAt) = (type, $"{at}.{name}");
            }
            if (part.Has("rope_theta")) Add(part, "rope_theta", $"{at}.rope_theta");
            if (part.Has(SectionField)) AddSections(part);
        }

        private void AddSections(ConfigFields part)
        {
            IReadOnlyList<int> s = part.Ints(SectionField, 0, 4096, 3, 3, []);
            var sections = new RotarySections(s[0], s[1], s[2], part.Flag(InterleavedField, false));
            if (Sections is { } known && known != sections)
                throw part.Bad(SectionField, "is given twice, and otherwise; keep the right one");
            Sections = sections;
        }

        public void Add(ConfigFields part, string name, string at)
        {
            double theta = part.Number(name, 1, 1e12);
            if (Theta is { } known && known != theta)
                throw part.Bad(name, FormattableString.Invariant($"is {theta}, but {_thetaAt} is {known}; keep the right one"));
            (Theta, _thetaAt) = (theta, at);
        }
    }
}
