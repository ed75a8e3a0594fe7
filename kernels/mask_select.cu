// MaskSelect: SAM 2's choice among four mask candidates. A block has an object.
#include "common/best.cuh"

struct MaskSelectArguments
{
    Run run;
    View ious, masks, y;
};

// How far around 0 a stable mask's logits may be shifted, and how much of it must stay.
#define STABILITY_DELTA 0.05f
#define STABILITY_THRESHOLD 0.98f

KERNEL(256) mask_select(const MaskSelectArguments a)
{
    if (is_stopped(a.run)) return;
    int object = blockIdx.x;
    if (object >= rows_of(a.run, a.ious)) return;
    Best best = best_of_none();
    for (int i = 1; i < 4; i++) best = Better()(best, candidate(load(a.ious, at(a.ious, object, i)), i));
    // An IoU that is not finite ends at mask 0; the IoUs themselves tell of it.
    int chosen = most(best.index, 0);
    if (a.masks.data)
    {
        int inside = 0, around = 0;
        for (int c = threadIdx.x; c < a.masks.columns; c += Block)
        {
            float m = load(a.masks, at(a.masks, 4ll * object, c));
            inside += m > STABILITY_DELTA;
            around += m > -STABILITY_DELTA;
        }
        inside = team_sum<Block>(inside);
        around = team_sum<Block>(around);
        if (around == 0 || quotient((float)inside, (float)around) >= STABILITY_THRESHOLD) chosen = 0;
    }
    if (threadIdx.x == 0) ((int*)a.y.data)[object] = chosen;
}
