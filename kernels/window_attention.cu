// WindowAttention: attention inside the square windows of a map of qkv rows. A block has 32 queries of a window and a head.
#include "common/attention.cuh"
#include "common/window_attention.cuh"

// A head's columns of the tokens of a window: the query, the key or the value. Where there is no token, they are the bias.
struct WindowColumns
{
    View qkv;
    const float* bias;
    int height, width, window, top, left, column;
    DEVICE_MEMBER float token(int y, int x, int c) const
    {
        if (top + y < height && left + x < width) return load(qkv, at(qkv, (i64)(top + y) * width + left + x, column + c));
        return bias ? bias[column + c] : 0;
    }
    DEVICE_MEMBER float operator()(int i, int c) const { return token(i / window, i % window, c); }
};

KERNEL(AttentionThreads) window_attention(const WindowAttentionArguments a)
{
    __shared__ AttentionTiles tiles;
    if (is_stopped(a.run)) return;
    int by = a.pool ? 2 : 1, side = a.window / by, blocks = (side * side + QueryBlock - 1) / QueryBlock;
    int window = blockIdx.x / blocks, first = blockIdx.x % blocks * QueryBlock, across = (a.width + a.window - 1) / a.window;
    int top = window / across * a.window, left = window % across * a.window, head = blockIdx.y, channels = a.heads * a.head_dim;
    AttentionSize size = {a.head_dim, a.head_dim, least(QueryBlock, side * side - first), a.window * a.window, a.window * a.window};
    WindowColumns queries = {a.qkv, a.bias, a.height, a.width, a.window, top, left, head * a.head_dim}, keys = queries, values = queries;
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
        int y = top / by + (first + row) / side, x = left / by + (first + row) % side;
        if (y < a.height / by && x < a.width / by) store(a.y, at(a.y, (i64)y * (a.width / by) + x, head * a.head_dim + c), value);
    };
    attend(tiles, size, a.scale, query, keys, values, result);
}
