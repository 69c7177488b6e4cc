/* SPDX-License-Identifier: MIT */
/* This file holds the tables of options. */
#include "option-parse.h"

#define AT(member) offsetof(struct options, member)

/* name, letter, argument, help, what reads it, what it fills, what completes it */
static const struct option_spec pids_specs[] = {
	{ "pid", 'p', "PID|NAME[,...]",
	  "The processes to watch: numbers, or names of commands, each of which means all processes that run it",
	  option_parse_pids, 0, "@pid" },
	{ "children", 0, NULL, "Watch what these start, too, from the next update on, and programs that they execute",
	  option_parse_flag, AT(children), NULL },
	{ 0 },
};

static const struct option_spec model_specs[] = {
	{ "model", 0, "FILE",
	  "Predict how much would be found, and at what cost: watch the workload that this file describes, in virtual "
	  "time",
	  option_parse_text, AT(model), "@file" },
	{ "json", 0, NULL, "With --model, print the verdict as JSON, one object per line", option_parse_flag, AT(json),
	  NULL },
	{ 0 },
};

static const struct option_spec record_specs[] = {
	{ "duration", 'd', "TIME",
	  "Stop after this time; a number without a unit is seconds (default: when the process ends; with --model: "
	  "60s)",
	  option_parse_duration, AT(duration_us), NULL },
	{ "output", 'o', "FILE", "Where to record to (default: tidemark.db)", option_parse_text, AT(output), "@file" },
	{ "progress", 0, NULL, "Show progress, also where standard error is not a terminal or a command runs",
	  option_parse_flag, AT(progress), NULL },
	{ 0 },
};

static const struct option_spec one_shot_specs[] = {
	{ "duration", 'd', "TIME", "Watch for this time; a number without a unit is seconds (default: 10s)",
	  option_parse_duration, AT(duration_us), NULL },
	{ "progress", 0, NULL, "Show progress, also where standard error is not a terminal", option_parse_flag,
	  AT(progress), NULL },
	{ 0 },
};

static const struct option_spec monitor_specs[] = {
	{ "sampling", 's', "TIME",
	  "Check one page of each region this often (default: 5ms; with the sensor refs: once per "
	  "aggregation interval)",
	  option_parse_interval, AT(monitor.sampling_us), NULL },
	{ "aggregation", 'a', "TIME",
	  "Sum the checks up to one sample this often (default: 100ms; with the sensor refs: 1s)",
	  option_parse_interval, AT(monitor.aggregation_us), NULL },
	{ "update", 'u', "TIME", "Look for new and gone mappings this often (default: 1s)", option_parse_interval,
	  AT(monitor.update_us), NULL },
	{ "auto-tune", 0, NULL,
	  "Tune the sampling interval to how much is accessed, and the aggregation interval with it", option_parse_flag,
	  AT(auto_tune), NULL },
	{ "goal", 0, "PERCENT", "Tune until this share of all possible accesses is seen (default: 4)",
	  option_parse_goal, 0, NULL },
	{ "bounds", 0, "MIN..MAX", "Tune the sampling interval within these bounds (default: 5ms..10s)",
	  option_parse_bounds, 0, NULL },
	{ "regions", 0, "MIN..MAX", "Keep the number of regions within these bounds (default: 10..1000)",
	  option_parse_regions, 0, NULL },
	{ "range", 0, "START-END", "Watch these addresses (hexadecimal) only; may be given more than once",
	  option_parse_range, 0, NULL },
	{ "sensor", 0, "NAME", "Use this sensor instead of the best that works here", option_parse_text, AT(sensor),
	  "@sensor" },
	{ "exact", 0, NULL,
	  "Look at every page, once per aggregation interval (default then: 1s), instead of sampling regions",
	  option_parse_flag, AT(exact), NULL },
	{ "writes", 0, NULL, "Watch writes, too, beside accesses (page by page, by write protection)",
	  option_parse_flag, AT(writes), NULL },
	{ "max-stall", 0, "TIME",
	  "Make no call that may keep the process waiting for longer, where all its memory is cleared at once "
	  "(default: "
	  "100ms)",
	  option_parse_interval, AT(monitor.max_stall_us), NULL },
	{ "way", 0, "WAY",
	  "With --exact, forget accesses this way: rwp, damon, refs, cold, or auto (default), the best possible",
	  option_parse_way, 0, "auto rwp damon refs cold" },
	{ "seed", 0, "NUMBER", "Seed of the random choice of pages (default: 0)", option_parse_seed, 0, NULL },
	{ "unguided", 0, NULL, "Split regions at random only, as DAMON does", option_parse_flag, AT(unguided), NULL },
	{ 0 },
};

static const struct option_spec report_specs[] = {
	{ "last", 0, "TIME", "Show the last so much of the record only; a number without a unit is seconds",
	  option_parse_duration, AT(last_us), NULL },
	{ "all", 0, NULL, "Show the whole record", option_parse_flag, AT(all), NULL },
	{ "top", 0, "NUMBER", "List at most so many regions, the hottest first", option_parse_top, 0, NULL },
	{ "json", 0, NULL, "Print JSON, one object per line", option_parse_flag, AT(json), NULL },
	{ "output", 'o', "FILE",
	  "Draw a picture into this file, which ends in .svg or .png, instead of printing (heatmap and wss)",
	  option_parse_text, AT(output), "@file" },
	{ "size", 0, "WIDTHxHEIGHT", "Pixels of the picture (default: 1200x800)", option_parse_size, 0, NULL },
	{ "width", 0, "COLUMNS", "Draw so wide (default: the terminal's width, else 80)", option_parse_width, 0, NULL },
	{ "color", 0, "WHEN", "Use colours: auto (on a terminal, unless NO_COLOR is set), always or never",
	  option_parse_color, 0, "auto always never" },
	{ 0 },
};

/* Where a verb watches, --writes is how closely it looks. */
static const struct option_spec recorded_specs[] = {
	{ "writes", 0, NULL, "Show how much was written, not how much was accessed (wss; the record must have writes)",
	  option_parse_flag, AT(writes), NULL },
	{ 0 },
};

static const struct option_spec quiet_specs[] = {
	{ "quiet", 'q', NULL, "Say nothing but errors on standard error", option_parse_flag, AT(quiet), NULL },
	{ "help", 'h', NULL, "Print this help", option_parse_flag, AT(help), NULL },
	{ 0 },
};

static const struct option_spec help_specs[] = {
	{ "help", 'h', NULL, "Print this help", option_parse_flag, AT(help), NULL },
	{ 0 },
};

const struct option_group option_group_pids = { "Whom to watch", pids_specs };
const struct option_group option_group_model = { "Instead of a process", model_specs };
const struct option_group option_group_record = { "How long, and where to", record_specs };
const struct option_group option_group_one_shot = { "How long", one_shot_specs };
const struct option_group option_group_monitor = { "How closely to look", monitor_specs };
const struct option_group option_group_report = { "What to show", report_specs };
const struct option_group option_group_recorded = { "What to show of what was recorded", recorded_specs };
const struct option_group option_group_quiet = { "Else", quiet_specs };
const struct option_group option_group_help = { "Else", help_specs };
