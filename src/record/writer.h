/* SPDX-License-Identifier: MIT */
/* The writer behind record_create and record_append; its core takes plain data, so that it can be tried without a
 * process. */
#ifndef RECORD_WRITER_H
#define RECORD_WRITER_H

#include "base/vec.h"
#include "record/db.h"
#include "record/record.h"

/* What record_put must know of a target; record_append takes it from a struct tide_target. */
struct record_source {
	int64_t pid;
	const char *name;
	const struct tide_layout *layout;
};

/* A mapping as it was last stored, to tell what changed. */
struct kept_mapping {
	int64_t id; /* its row */
	uint64_t start;
	uint64_t end;
	uint32_t flags;
	char *name;
};

struct kept_layout {
	uint64_t generation; /* 0: none stored yet */
	VEC(struct kept_mapping) mappings;
};

/* The statements that fill the tables; their SQL is in create.c. */
enum writer_statement {
	WRITER_TARGET,
	WRITER_SAMPLE,
	WRITER_SPAN,
	WRITER_IDLE,
	WRITER_REASON,
	WRITER_MAPPING,
	WRITER_MAPPING_END,
	WRITER_META,
	NR_WRITER_STATEMENTS
};

/*
 * Invariants: between calls, all rows of samples 1 .. next_sample - 1 and regions 1 .. next_region - 1 are stored,
 * though only those before the open transaction are committed. After an error (failed.code != 0) nothing is stored any
 * more.
 */
struct record_writer {
	struct db db;
	sqlite3_stmt *statements[NR_WRITER_STATEMENTS];
	bool exact;
	bool in_file; /* has a name, so it is worth marking complete */
	bool in_transaction;
	uint64_t transaction_ns; /* when the oldest uncommitted sample began */
	uint64_t origin_ns;      /* the record's zero: the start of its first sample */
	uint64_t last_end_ns;
	uint32_t nr_targets;
	int64_t next_sample;
	int64_t next_region;
	int64_t next_mapping;
	VEC(struct kept_layout) layouts; /* by target */
	struct tide_session_cost cost;
	struct tide_intervals latest;
	bool cost_is_new;
	struct tide_error failed;
};

/* record_append on plain data: sources[i] is target i, of sample->nr_targets. */
int record_put(struct record_writer *writer, const struct tide_sample *sample, const struct record_source *sources,
               struct tide_error *err);

/* Stores what changed in the mappings of target `index`, as of `since_us`. */
int writer_put_layout(struct record_writer *writer, uint32_t index, const struct tide_layout *layout, uint64_t since_us,
                      struct tide_error *err);

/* Frees what the layouts of all targets hold. */
void writer_free_layouts(struct record_writer *writer);

/* Stores all of `info` but what follows from the samples. */
int writer_put_info(struct record_writer *writer, const struct record_info *info, struct tide_error *err);
int writer_put_cost(struct record_writer *writer, struct tide_error *err);
int writer_put_complete(struct record_writer *writer, struct tide_error *err);

/* Frees the writer as it is: what is not committed is lost. Accepts NULL. */
void writer_free(struct record_writer *writer);

#endif
