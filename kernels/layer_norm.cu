// LayerNorm: y = activation((x − μ)·1/√(σ² + ε)·w + b) over a row: mean, then centred variance. x may be a sum that is made here.
#include "common/norm.cuh"
#include "common/math.cuh"

struct LayerNormArguments
{
    Run run;
    View x, y, residual, sum;
    const float *weight, *bias;
    float epsilon;
    int activation;
};

template <class Team> DEVICE void layer_norm(const LayerNormArguments& a)
{
    int row = Team::row(), columns = row < rows_of(a.run, a.x) ? columns_of(a.run, a.x) : 0;
    typename Team::Held x, gain, bias;
    float sums[4] = {}, squares[4] = {};
    for (int first = 0; first < Team::end(columns); first += Team::Span)
    {
        read_first<Team>(x, a, row, first, columns);
        if (Team::AlwaysHolds) gain.read(a.weight, first, columns);
        EACH_HELD(Team) sums[e] = sums[e] + x.x[i][e];
    }
    float mean = quotient(team_sum<Team::Threads>(sums), columns);
    for (int first = 0; first < Team::end(columns); first += Team::Span)
    {
        if (!Team::holds(columns)) read_again<Team>(x, a, row, first, columns);
        EACH_HELD(Team)
        {
            float d = first + x.column(i) + e < columns ? x.x[i][e] - mean : 0;
            squares[e] = fused(d, d, squares[e]);
        }
    }
    float scale = inverse_root(quotient(team_sum<Team::Threads>(squares), columns), a.epsilon);
    if (a.activation != None)
    {
        // Read again, one by one: functions are too long to stand here once for each element that is held.
        i64 from = at(a.x, row, 0), to = at(a.y, row, 0);
#pragma unroll 1
        for (int c = threadIdx.x % Team::Threads; c < columns; c += Team::Threads)
            store(a.y, to + c, activate(fused((load(a.x, from + c) - mean) * scale, a.weight[c], a.bias[c]), a.activation));
        return;
    }
    for (int first = 0; first < Team::end(columns); first += Team::Span)
    {
        if (!Team::holds(columns)) read_again<Team>(x, a, row, first, columns);
        if (!Team::AlwaysHolds) gain.read(a.weight, first, columns);
        bias.read(a.bias, first, columns);
        EACH_HELD(Team) x.x[i][e] = fused((x.x[i][e] - mean) * scale, gain.x[i][e], bias.x[i][e]);
        x.write(a.y, row, first, columns);
    }
}

KERNEL(256) layer_norm_by_lanes(const LayerNormArguments a)
{
    if (!is_stopped(a.run)) layer_norm<NormTeam<Lanes>>(a);
}

// Rows of up to 384 elements. ptxas is told that four blocks share a multiprocessor: left alone, it takes too few registers on sm_80.
#define FOUR_BLOCKS 256, 4
KERNEL(FOUR_BLOCKS) layer_norm_by_warp_short(const LayerNormArguments a)
{
    if (!is_stopped(a.run)) layer_norm<NormTeam<Warp, 3>>(a);
}

KERNEL(256) layer_norm_by_warp(const LayerNormArguments a)
{
    if (!is_stopped(a.run)) layer_norm<NormTeam<Warp>>(a);
}

KERNEL(256) layer_norm_by_block(const LayerNormArguments a)
{
    if (!is_stopped(a.run)) layer_norm<NormTeam<Block>>(a);
}
