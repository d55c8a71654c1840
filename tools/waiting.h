#pragma once

namespace onecard {

// Bounds OpenMP's waiting to a tenth of a millisecond of spinning, unless the environment already says how to wait; may start the program again,
// once. libgomp reads this when it is loaded, and its default (spinning for milliseconds) makes small networks a thousand times slower when another
// process wants the cores. Returns when there is nothing to do, or when a restart is refused.
void bound_waiting(char** argv);

}  // namespace onecard
