using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Ops on channels-last maps.</summary>
internal static class MapCases
{
    public static IEnumerable<OpCase> All =>
    [
        new Conv2dCase(9, 11, 3, 24, 7, 4, 3), new Conv2dCase(6, 7, 24, 33, 3, 2, 1), new Conv2dCase(8, 8, 3, 40, 4, 4, 0),
        new Conv2dCase(21, 34, 1, 4, 3, 2, 1), new Conv2dCase(13, 45, 4, 16, 3, 2, 1),
        new DepthwiseCase(9, 11, 33, 7), new DepthwiseCase(5, 4, 64, 3), new TransposeCase(5, 6, 24, 17, false),
        new TransposeCase(3, 4, 64, 32, true), new TransposeCase(2, 3, 20, 16, false), new MaxPoolCase(5, 7, 17),
        new MaxPoolCase(8, 6, 144), new PooledProductCase(96, 8, 160),
        .. Enum.GetValues<ResizeMode>().SelectMany(m =>
            (OpCase[])[new ResizeCase(m, 13, 17, 5, 31, 3), new ResizeCase(m, 6, 6, 24, 24, 1)]),
        new PixelShuffleCase(6, 4, 5, false), new PixelShuffleCase(4, 8, 33, true),
    ];

    /// <summary>What Conv2d must give of a map [h, w, ci].</summary>
    public static T[] Convolution<T>(T[] map, int h, int w, int ci, T[] filter, T[] bias, int k, int stride, int padding)
        where T : IBinaryFloatingPointIeee754<T>
    {
        int height = (h + 2 * padding - k) / stride + 1, width = (w + 2 * padding - k) / stride + 1, co = bias.Length;
        var y = new T[height * width * co];
        for (int i = 0; i < y.Length; i++)
        {
            int o = i % co, top = i / co / width * stride - padding, left = i / co % width * stride - padding;
            y[i] = bias[o];
            for (int t = 0; t < k * k; t++)
            {
                int row = top + t / k, column = left + t % k;
                if (row < 0 || row >= h || column < 0 || column >= w) continue;
                for (int c = 0; c < ci; c++) y[i] += map[(row * w + column) * ci + c] * filter[(o * ci + c) * k * k + t];
            }
        }
        return y;
    }

    private sealed class Conv2dCase : OpCase
    {
        private readonly int _h, _w, _ci, _co, _k, _stride, _padding;

        public Conv2dCase(int h, int w, int ci, int co, int k, int stride, int padding)
            : base(nameof(Conv2d), $"{h}×{w}×{ci}→{co}, {k}×{k} by {stride}")
        {
            (_h, _w, _ci, _co, _k, _stride, _padding) = (h, w, ci, co, k, stride, padding);
            Floats(new Shape(h, w, ci));
            Weight("conv.weight", new Shape(co, ci, k, k), 0.3f);
            Weight("conv.bias", new Shape(co));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Conv2d(x[0], g.At("conv"), _co, _k, _stride, _padding);

        public override T[] Result<T>(CaseValues<T> x) =>
            Convolution(x[0], _h, _w, _ci, x.Weight("conv.weight"), x.Weight("conv.bias"), _k, _stride, _padding);
    }

    private sealed class DepthwiseCase : OpCase
    {
        private readonly int _h, _w, _c, _k;

        public DepthwiseCase(int h, int w, int c, int k) : base(nameof(DepthwiseConv2d), $"{h}×{w}×{c}, {k}×{k}")
        {
            (_h, _w, _c, _k) = (h, w, c, k);
            Floats(new Shape(h, w, c));
            Weight("conv.weight", new Shape(c, 1, k, k));
            Weight("conv.bias", new Shape(c));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.DepthwiseConv2d(x[0], g.At("conv"), _k);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] map = x[0], filter = x.Weight("conv.weight"), bias = x.Weight("conv.bias"), y = new T[map.Length];
            for (int i = 0; i < y.Length; i++)
            {
                int c = i % _c;
                y[i] = bias[c];
                for (int t = 0; t < _k * _k; t++)
                {
                    int row = i / _c / _w + t / _k - _k / 2, column = i / _c % _w + t % _k - _k / 2;
                    if (row < 0 || row >= _h || column < 0 || column >= _w) continue;
                    y[i] += map[(row * _w + column) * _c + c] * filter[c * _k * _k + t];
                }
            }
            return y;
        }
    }

    private sealed class TransposeCase : OpCase
    {
        private readonly int _w, _ci, _co;
        private readonly bool _addsMap;

        public TransposeCase(int h, int w, int ci, int co, bool addsMap)
            : base(nameof(ConvTranspose2d), $"{h}×{w}×{ci}→{co}{(addsMap ? ", residual" : "")}")
        {
            (_w, _ci, _co, _addsMap) = (w, ci, co, addsMap);
            Floats(new Shape(h, w, ci));
            Floats(new Shape(2 * h, 2 * w, co));
            Weight("up.weight", new Shape(ci, co, 2, 2), 0.3f);
            Weight("up.bias", new Shape(co));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.ConvTranspose2d(x[0], g.At("up"), _co, _addsMap ? x[1] : null);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] map = x[0], residual = x[1], filter = x.Weight("up.weight"), bias = x.Weight("up.bias"), y = new T[residual.Length];
            for (int i = 0; i < y.Length; i++)
            {
                int o = i % _co, row = i / _co / (2 * _w), column = i / _co % (2 * _w);
                y[i] = bias[o];
                for (int c = 0; c < _ci; c++)
                    y[i] += map[(row / 2 * _w + column / 2) * _ci + c] * filter[((c * _co + o) * 2 + row % 2) * 2 + column % 2];
                if (_addsMap) y[i] += residual[i];
            }
            return y;
        }
    }

    private sealed class MaxPoolCase : OpCase
    {
        private readonly int _w, _c;

        public MaxPoolCase(int h, int w, int c) : base(nameof(MaxPool2d), $"{h}×{w}×{c}")
        {
            (_w, _c) = (w, c);
            Floats(new Shape(h, w, c));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.MaxPool2d(x[0]);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] map = x[0];
            int width = _w / 2;
            return [.. Enumerable.Range(0, map.Length / _c / _w / 2 * width * _c).Select(i =>
            {
                int at = (i / _c / width * 2 * _w + i / _c % width * 2) * _c + i % _c;
                return T.Max(T.Max(map[at], map[at + _c]), T.Max(map[at + _w * _c], map[at + (_w + 1) * _c]));
            })];
        }
    }

    /// <summary>
    /// Large enough that a backend with maps in Z-order pools in the product; of the result a few channels are looked at.
    /// </summary>
    private sealed class PooledProductCase : OpCase
    {
        private const int Seen = 3;
        private readonly int _side, _in, _out;

        public PooledProductCase(int side, int inFeatures, int outFeatures)
            : base(nameof(LinearMaxPool), $"{side}×{side}×{inFeatures}→{outFeatures}")
        {
            (_side, _in, _out) = (side, inFeatures, outFeatures);
            Floats(new Shape(side, side, inFeatures));
            Weight("linear.weight", new Shape(outFeatures, inFeatures));
            Weight("linear.bias", new Shape(outFeatures));
        }

        public override bool IsOfBFloat16Alone => true;

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.SliceChannels(g.MaxPool2d(g.Linear(x[0], g.At("linear"), _out)), 0, Seen);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] y = ProductCases.Product(x[0], x.Weight("linear.weight")[..(Seen * _in)], _in), bias = x.Weight("linear.bias");
            var pooled = new T[_side / 2 * (_side / 2) * Seen];
            for (int i = 0; i < pooled.Length; i++)
            {
                int c = i % Seen, row = i / Seen / (_side / 2) * 2, column = i / Seen % (_side / 2) * 2;
                T At(int down, int across) => y[((row + down) * _side + column + across) * Seen + c];
                pooled[i] = T.Max(T.Max(At(0, 0), At(0, 1)), T.Max(At(1, 0), At(1, 1))) + bias[c];
            }
            return pooled;
        }
    }

    private sealed class ResizeCase : OpCase
    {
        private readonly ResizeMode _mode;
        private readonly int _h, _w, _h2, _w2, _c;

        public ResizeCase(ResizeMode mode, int h, int w, int h2, int w2, int c) : base(nameof(Resize), $"{h}×{w}×{c}→{h2}×{w2}, {mode}")
        {
            (_mode, _h, _w, _h2, _w2, _c) = (mode, h, w, h2, w2, c);
            Floats(new Shape(h, w, c));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Resize(x[0], _h2, _w2, _mode);

        public override T[] Result<T>(CaseValues<T> x)
        {
            // The taps are float32 by definition; what is judged is the sums.
            ResizeTaps across = ResizeTaps.Create(_w, _w2, _mode), down = ResizeTaps.Create(_h, _h2, _mode);
            T[] map = x[0], y = new T[_h2 * _w2 * _c];
            for (int i = 0; i < y.Length; i++)
                for (int v = 0; v < down.Count; v++)
                {
                    int a = i / _c / _w2 * down.Count + v;
                    T row = T.Zero;
                    for (int h = 0; h < across.Count; h++)
                    {
                        int b = i / _c % _w2 * across.Count + h;
                        row += T.CreateChecked(across.Weight[b]) * map[(down.Index[a] * _w + across.Index[b]) * _c + i % _c];
                    }
                    y[i] += T.CreateChecked(down.Weight[a]) * row;
                }
            return y;
        }
    }

    private sealed class PixelShuffleCase : OpCase
    {
        private readonly int _h, _w, _c;
        private readonly bool _transposed;

        public PixelShuffleCase(int h, int w, int c, bool transposed)
            : base(nameof(PixelShuffle), $"{h}×{w}×{c}{(transposed ? ", transposed" : "")}")
        {
            (_h, _w, _c, _transposed) = (h, w, c, transposed);
            Floats(new Shape(h, w, c));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.PixelShuffle(x[0], _transposed);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] map = x[0];
            return [.. Enumerable.Range(0, map.Length).Select(i =>
            {
                int token = i / (4 * _c), part = i / _c % 4;
                (int row, int column) = _transposed ? (token % (_h / 2), token / (_h / 2)) : (token / (_w / 2), token % (_w / 2));
                return map[((2 * row + part / 2) * _w + 2 * column + part % 2) * _c + i % _c];
            })];
        }
    }
}
