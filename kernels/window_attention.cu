// WindowAttention: attention inside the square windows of a map of qkv rows. A block has 32 queries of a window and a head.
#include "common/attention.cuh"
#include "common/window_attention.cuh"

// A head's columns of the tokens of a window: the query, the key or the value. Where there is no token, they are the bias.
struct WindowColumns
{
    View qkv;
    const float* bias;
    // The window's first row in the map; rows from a line to the next, 0 in Z-order; lines and columns that the map has from there on.
    int first, width, down, across, side, column;
    DEVICE_MEMBER float token(int y, int x, int c) const
    {
        if (y < down && x < across) return load(qkv, at(qkv, first + (width > 0 ? y * width + x : z_row(y, x)), column + c));
        return bias ? bias[column + c] : 0;
    }
    DEVICE_MEMBER float operator()(int i, int c) const { return token(i / side, i % side, c); }
};

KERNEL(AttentionThreads) window_attention(const WindowAttentionArguments a)
{
    __shared__ AttentionTiles tiles;
    if (is_stopped(a.run)) return;
    int by = a.pool ? 2 : 1, side = a.window / by, blocks = (side * side + QueryBlock - 1) / QueryBlock;
    int first = blockIdx.x % blocks * QueryBlock, head = blockIdx.y, channels = a.heads * a.head_dim;
    Window window(a, blockIdx.x / blocks, by);
    int down = a.height - window.top, across = a.width - window.left;
    AttentionSize size = {a.head_dim, a.head_dim, least(QueryBlock, side * side - first), a.window * a.window, a.window * a.window};
    int width = a.order_bits > 0 ? 0 : a.width;
    WindowColumns queries = {a.qkv, a.bias, window.first, width, down, across, a.window, head * a.head_dim}, keys = queries, values = queries;
    keys.column += channels;
    values.column += 2 * channels;
    auto query = [&](int row, int c)
    {
        int y = (first + row) / side * by, x = (first + row) % side * by;
        if (!a.pool) return queries.token(y, x, c);
        return larger_or_nan(larger_or_nan(queries.token(y, x, c), queries.token(y, x + 1, c)),
            larger_or_nan(queries.token(y + 1, x, c), queries.token(y + 1, x + 1, c)));
    };
    // Queries that the map does not have are dropped.
    auto result = [&](int row, int c, float value)
    {
        int y = (first + row) / side, x = (first + row) % side;
        int place = window.first_result + (width > 0 ? y * (width / by) + x : z_row(y, x));
        if (y < down / by && x < across / by) store(a.y, at(a.y, place, head * a.head_dim + c), value);
    };
    attend(tiles, size, a.scale, query, keys, values, result);
}
