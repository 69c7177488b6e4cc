/* SPDX-License-Identifier: MIT */
/* What reads the argument of each kind of option; the general ones fill the member at spec->offset. */
#ifndef CLI_OPTION_PARSE_H
#define CLI_OPTION_PARSE_H

#include "options.h"

option_parse_fn option_parse_flag;     /* bool */
option_parse_fn option_parse_text;     /* const char * */
option_parse_fn option_parse_duration; /* uint64_t us: how long; a number that stands alone is seconds */
option_parse_fn option_parse_interval; /* uint64_t us: how often; the unit must be there */
option_parse_fn option_parse_bytes;    /* uint64_t */
option_parse_fn option_parse_width;
option_parse_fn option_parse_size; /* pixels */
option_parse_fn option_parse_top;
option_parse_fn option_parse_seed;
option_parse_fn option_parse_color;
option_parse_fn option_parse_pids;
option_parse_fn option_parse_way;
option_parse_fn option_parse_regions;
option_parse_fn option_parse_goal;
option_parse_fn option_parse_bounds;
option_parse_fn option_parse_range;
option_parse_fn option_parse_limit;
option_parse_fn option_parse_categories; /* uint64_t: a list of names, as a mask of enum tide_page_category */

#endif
