using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Pictures in, masks out: exact.</summary>
internal static class PictureCases
{
    public static IEnumerable<OpCase> All =>
    [
        new NormalizeCase(), new TokensCase(28, 42, 40, 14, 14, 0), new TokensCase(33, 70, 144, 7, 4, 3), new PillowCase(60, 107, 32, 32),
        new PillowCase(13, 11, 40, 50), new PackMasksCase(2, 4, 16, 9, 33), new PackMasksCase(1, 16, 64, 54, 96),
    ];

    private sealed class NormalizeCase : OpCase
    {
        private readonly float[] _table = [.. Enumerable.Range(0, 768).Select(i => i % 256 / 255f - i / 256 * 0.1f)];

        public NormalizeCase() : base(nameof(Normalize), "7×11") => Bytes(new Shape(7, 11, 3));

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.Normalize(x[0], g.Constant("table", new Shape(3, 256), _table));

        public override T[] Result<T>(CaseValues<T> x) =>
            [.. x.Bytes(0).Select((level, i) => T.CreateChecked(_table[i % 3 * 256 + level]))];
    }

    /// <summary>Patch rows and their product, where a backend has those.</summary>
    private sealed class TokensCase : OpCase
    {
        private readonly float[] _table = [.. Enumerable.Range(0, 768).Select(i => (i % 256 - 100 - i / 256 * 8) / 64f)];
        private readonly int _h, _w, _co, _k, _stride, _padding;

        public TokensCase(int h, int w, int co, int k, int stride, int padding)
            : base(nameof(PatchRows), $"{h}×{w}→{co}, {k}×{k} by {stride}")
        {
            (_h, _w, _co, _k, _stride, _padding) = (h, w, co, k, stride, padding);
            Bytes(new Shape(h, w, 3));
            Weight("conv.weight", new Shape(co, 3, k, k), 0.3f);
            Weight("conv.bias", new Shape(co));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.Conv2d(g.Normalize(x[0], g.Constant("table", new Shape(3, 256), _table)), g.At("conv"), _co, _k, _stride, _padding);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] map = [.. x.Bytes(0).Select((level, i) => T.CreateChecked(_table[i % 3 * 256 + level]))];
            return MapCases.Convolution(map, _h, _w, 3, x.Weight("conv.weight"), x.Weight("conv.bias"), _k, _stride, _padding);
        }
    }

    private sealed class PillowCase : OpCase
    {
        private readonly int _h, _w, _h2, _w2;

        public PillowCase(int h, int w, int h2, int w2) : base(nameof(PillowResize), $"{h}×{w}→{h2}×{w2}")
        {
            (_h, _w, _h2, _w2) = (h, w, h2, w2);
            Bytes(new Shape(h, w, 3));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.PillowResize(x[0], _h2, _w2);

        public override T[] Result<T>(CaseValues<T> x)
        {
            PillowTaps across = new(_w, _w2), down = new(_h, _h2);
            byte[] from = x.Bytes(0), wide = new byte[_h * _w2 * 3], to = new byte[_h2 * _w2 * 3];
            for (int i = 0; i < wide.Length; i++)
                wide[i] = Level(across, i / 3 % _w2, k => from[(i / 3 / _w2 * _w + k) * 3 + i % 3]);
            for (int i = 0; i < to.Length; i++) to[i] = Level(down, i / 3 / _w2, k => wide[k * _w2 * 3 + i % (_w2 * 3)]);
            return [.. to.Select(v => T.CreateChecked(v))];
        }

        private static byte Level(PillowTaps taps, int sample, Func<int, byte> value)
        {
            long sum = 1 << (PillowTaps.FractionBits - 1);
            for (int k = 0; k < taps.Count[sample]; k++)
                sum += (long)taps.Weights[sample * taps.Stride + k] * value(taps.First[sample] + k);
            return (byte)Math.Clamp(sum >> PillowTaps.FractionBits, 0, 255);
        }
    }

    private sealed class PackMasksCase : OpCase
    {
        private const int Beside = 2;
        private readonly int _objects, _low, _side, _h, _w;

        public PackMasksCase(int objects, int low, int side, int h, int w)
            : base(nameof(PackMasks), $"{objects} of {low}²→{side}²→{h}×{w}")
        {
            (_objects, _low, _side, _h, _w) = (objects, low, side, h, w);
            Floats(new Shape(objects, low * low + Beside));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.PackMasks(x[0], _low, _side, _h, _w);

        // Bits must be those of float32, whatever T is.
        public override T[] Result<T>(CaseValues<T> x)
        {
            var words = new List<int>();
            foreach (float[] row in x[0].Select(float.CreateChecked).Chunk(_low * _low + Beside))
            {
                float[] map = Bilinear(Bilinear(row, _low, _low, _side, _side), _side, _side, _h, _w);
                var bits = new int[_h * PackMasks.WordsFor(_w)];
                for (int i = 0; i < map.Length; i++)
                    if (map[i] > PackMasks.Threshold) bits[i / _w * PackMasks.WordsFor(_w) + i % _w / 32] |= 1 << (i % _w);
                words.AddRange([.. bits, 1, .. row[^Beside..].Select(BitConverter.SingleToInt32Bits)]);
            }
            return [.. words.Select(w => T.CreateChecked(w))];
        }

        private static float[] Bilinear(float[] map, int h, int w, int h2, int w2)
        {
            ResizeTaps down = ResizeTaps.Create(h, h2, ResizeMode.Bilinear), across = ResizeTaps.Create(w, w2, ResizeMode.Bilinear);
            return [.. Enumerable.Range(0, h2 * w2).Select(i =>
            {
                int v = i / w2 * 2, u = i % w2 * 2;
                return Row(down.Index[v]) * down.Weight[v] + Row(down.Index[v + 1]) * down.Weight[v + 1];

                float Row(int y) =>
                    across.Weight[u] * map[y * w + across.Index[u]] + across.Weight[u + 1] * map[y * w + across.Index[u + 1]];
            })];
        }
    }
}
