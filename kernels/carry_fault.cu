// Work that waits for another queue's: what a check found there stops it too.
#include "common/tensor.cuh"

// A failure that the host has told: nothing came of work from the run that failed to the last that was enqueued by then.
struct Told
{
    Fault fault;
    i64 last;
};

struct CarryFaultArguments
{
    Run run;
    // Of the other queue: what stands there now, and what stood there before it was told.
    const Fault* from;
    const Told* told;
    // The work that is waited for, and the position of the wait in this queue.
    i64 first, last, position;
};

const int Remembered = 64;

// One warp. What stands now is read first, since the host moves it to what was told, there first. Its position says whether it is whole
// and of work that is waited for: while nothing stands, and until a kernel that runs now has written it, that is larger than any.
KERNEL(32) carry_fault(const CarryFaultArguments a)
{
    if (is_stopped(a.run)) return;
    bool stands = *(volatile const i64*)&a.from->position <= a.last;
    stands = *(volatile const int*)&a.from->code != 0 && stands;
    asm volatile("membar.gl;" ::: "memory");
    int found = Remembered;
    for (int k = threadIdx.x; k < Remembered; k += 32)
    {
        const Told& t = a.told[k];
        if (t.fault.code != 0 && t.fault.position <= a.last && a.first <= t.last) found = least(found, k);
    }
    for (int mask = 16; mask > 0; mask >>= 1) found = least(found, from_lane_xor(found, mask));
    if (threadIdx.x != 0 || !stands && found == Remembered) return;
    const Fault& of = stands ? *a.from : a.told[found].fault;
    a.run.fault->site = of.site;
    a.run.fault->position = a.position;
    a.run.fault->value = of.value;
    a.run.fault->place = of.place;
    a.run.fault->other = of.other;
    a.run.fault->code = of.code;
}
