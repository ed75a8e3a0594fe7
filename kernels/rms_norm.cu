// RmsNorm: y = x·1/√(mean x² + ε)·w over a row: normalise first, then the gain.
#include "common/norm.cuh"

struct RmsNormArguments
{
    Run run;
    View x, y, residual, sum;
    const float* weight;
    float epsilon;
};

template <class Team> DEVICE void rms_norm(const RmsNormArguments& a)
{
    int row = Team::row(), columns = row < rows_of(a.run, a.x) ? columns_of(a.run, a.x) : 0;
    typename Team::Held x, gain;
    float squares[4] = {};
    for (int first = 0; first < Team::end(columns); first += Team::Span)
    {
        read_first<Team>(x, a, row, first, columns);
        gain.read(a.weight, first, columns);
        EACH_HELD(Team) squares[e] = fused(x.x[i][e], x.x[i][e], squares[e]);
    }
    float scale = inverse_root(quotient(team_sum<Team::Threads>(squares), columns), a.epsilon);
    for (int first = 0; first < Team::end(columns); first += Team::Span)
    {
        if (!Team::holds(columns))
        {
            read_again<Team>(x, a, row, first, columns);
            gain.read(a.weight, first, columns);
        }
        EACH_HELD(Team) x.x[i][e] = x.x[i][e] * scale * gain.x[i][e];
        x.write(a.y, row, first, columns);
    }
}

KERNEL(256) rms_norm_by_warp(const RmsNormArguments a)
{
    if (!is_stopped(a.run)) rms_norm<NormTeam<Warp>>(a);
}

KERNEL(256) rms_norm_by_block(const RmsNormArguments a)
{
    if (!is_stopped(a.run)) rms_norm<NormTeam<Block>>(a);
}
