/* SPDX-License-Identifier: MIT */
/* The store: samples into an SQLite file while they come, and out of it again in constant memory. Schema:
 * docs/record.md. */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidemark/session.h>

struct record_writer;
struct record_reader;

/* What a record says of itself. Strings are owned by the reader, or by the caller of record_create. */
struct record_info {
	const char *tool_version;
	const char *sensor;
	const char *sensor_why;
	const char *writes; /* the sensor that told writes; NULL: they were not recorded, and nr_writes means nothing */
	const char *kernel; /* uname -r */
	uint64_t started_unix_us; /* wall clock at the first moment of the record */
	uint64_t sampling_us;
	uint64_t aggregation_us;
	uint64_t update_us;
	uint32_t goal_bp; /* of tuned intervals (monitor.h), which began with those above; 0: not tuned */
	uint64_t min_sampling_us;
	uint64_t max_sampling_us;
	struct tide_intervals latest; /* in use at the last commit */
	uint32_t min_nr_regions;
	uint32_t max_nr_regions;
	uint32_t exact;    /* 1: of exact mode, so samples have `idle` */
	uint32_t complete; /* 1: closed in order; 0: the recorder was killed, at most the last second is missing */
	uint64_t nr_samples;
	uint64_t nr_regions; /* rows */
	uint64_t duration_us;
	uint64_t size_bytes;           /* of the file, its write-ahead log included */
	struct tide_session_cost cost; /* as of the last commit */
};

/*
 * Creates `path` (NULL: an unnamed temporary file, for one-shot reports); refuses to overwrite anything that is not a
 * tidemark record. A record that is there already stays until the new one exists, then is replaced by it.
 * Errors: LIMIT disk full; DENIED read-only; USAGE the path exists and is something else; BUSY somebody is writing or
 * reading the record that would be replaced; SYSTEM.
 */
int record_create(struct record_writer **out, const char *path, const struct record_info *info, struct tide_error *err);

/*
 * A tide_sink_fn (arg: the writer): stores a sample, mappings when they changed; commits once a second.
 * Errors: LIMIT disk full, USAGE a sample that breaks its contract, SYSTEM. After an error nothing more is stored; what
 * was committed stays readable, as a record that is not complete.
 */
int record_append(void *writer, const struct tide_sample *sample, struct tide_target *const *targets,
                  struct tide_error *err);

/* Latest cost, stored with the next commit. */
void record_set_cost(struct record_writer *writer, const struct tide_session_cost *cost);

/* Latest intervals, stored with the next cost. */
void record_set_intervals(struct record_writer *writer, const struct tide_intervals *intervals);

/*
 * Commits, marks the record complete and closes. The writer is freed also on error. Accepts NULL.
 * Errors: those of record_append; one that record_append returned is returned again, and the record is not complete.
 */
int record_finish(struct record_writer *writer, struct tide_error *err);

/*
 * Opens for reading and changes nothing, also a record that is being written, or whose recorder was killed and whose
 * directory is read-only (then through a private copy). Files of any origin are safe to open.
 * Errors: SYSTEM/DENIED no such file, or not readable; CORRUPT not a record, of a newer schema, or damaged (the
 * sentence says which).
 */
int record_open(struct record_reader **out, const char *path, struct tide_error *err);

/* Reads what a writer has stored so far (committed or not), sharing its connection; close it before record_finish. */
int record_open_writer(struct record_reader **out, struct record_writer *writer, struct tide_error *err);
void record_close(struct record_reader *reader);

const struct record_info *record_info(const struct record_reader *reader);

/* Whether nothing but writes was watched: what nr_accesses counts are writes, and reads went unseen. */
bool record_has_only_writes(const struct record_info *info);

/* One sample out of a record; valid during the callback. */
struct record_sample {
	uint64_t start_us; /* since the start of the record */
	uint64_t end_us;
	uint32_t nr_checks;
	size_t nr_regions;
	const struct tide_region *regions;
	const struct tide_idle *idle; /* exact mode: by target, as many as record_targets says; else NULL */
};

/* Calls `fn` for each sample that ends in (from_us, to_us], in order, in constant memory. Non-zero from fn ends it. */
typedef int record_sample_fn(void *arg, const struct record_sample *sample);
int record_for_each(struct record_reader *reader, uint64_t from_us, uint64_t to_us, record_sample_fn *fn, void *arg,
                    struct tide_error *err);

/* The record's targets. */
struct record_target {
	uint32_t index;
	int64_t pid;
	const char *name;
};
size_t record_targets(const struct record_reader *reader, const struct record_target **out);

/*
 * Where `target` was watched and had accessible memory at some time in (from_us, to_us]: ascending, disjoint, not
 * touching. `*out` is the caller's to free. Without recorded mappings: wherever it was watched.
 */
int record_ranges(struct record_reader *reader, uint32_t target, uint64_t from_us, uint64_t to_us,
                  struct tide_range **out, size_t *nr, struct tide_error *err);

/* Adds up the unanswered checks by reason of the samples that end in (from_us, to_us]. */
int record_reasons(struct record_reader *reader, uint64_t from_us, uint64_t to_us, uint64_t counts[TIDE_NR_REASONS],
                   struct tide_error *err);

/* The name of the mapping that held most of [start, end) of `target` at `at_us`; "" when unnamed. Owned by the reader.
 */
const char *record_mapping_name(struct record_reader *reader, uint32_t target, uint64_t start, uint64_t end,
                                uint64_t at_us);

/*
 * Bytes of [start, end) of `target` that were mapped, with any access permitted, at `at_us`; all of them for a target
 * whose mappings were not recorded. Cheap when at_us goes forward from call to call.
 */
uint64_t record_mapped_bytes(struct record_reader *reader, uint32_t target, uint64_t start, uint64_t end,
                             uint64_t at_us);

/* The first error of the two functions above, which answer "" and 0 then; 0 when there was none. */
int record_error(const struct record_reader *reader, struct tide_error *err);

#endif
