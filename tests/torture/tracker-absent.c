#include "tracker.h"
const struct tracker_ops tracker_watch = { .name = "watch" };
