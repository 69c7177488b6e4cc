/* SPDX-License-Identifier: MIT */
/* The reader behind record_open, shared by the files that read one table each. */
#ifndef RECORD_READER_H
#define RECORD_READER_H

#include "base/vec.h"
#include "record/db.h"
#include "record/record.h"

/* More regions in one sample than any tidemark stores: the file is damaged. */
#define READER_MAX_REGIONS (UINT64_C(1) << 24)

/* A mapping that exists at the time the reader looks at. */
struct live_mapping {
	uint32_t target;
	uint64_t start;
	uint64_t end;
	uint64_t bytes_before; /* accessible bytes of all mappings before this one in the array */
	uint64_t until_us;
	bool accessible; /* any permission at all */
	char *name;
};

/*
 * The mappings at one moment, ordered by target and address; they are right for every time in (after_us, to_us].
 * Going forward reads each row of the table once; going back starts again.
 */
struct live_layout {
	VEC(struct live_mapping) mappings;
	uint64_t after_us;
	uint64_t to_us;
	int64_t last_id; /* rows up to here are taken */
	size_t hint;     /* where a mapping was last found */
};

struct record_reader {
	struct db db;
	bool shared; /* the connection is a writer's */
	struct record_info info;
	VEC(char *) texts; /* what info's strings point to */
	VEC(struct record_target) targets;
	bool *has_layout; /* by target: its mappings were recorded */
	struct live_layout layout;
	sqlite3_stmt *next_mappings;
	struct tide_error failed; /* of functions that cannot return it */
};

/* Opens `path` safely, whatever is in it, and begins to read one unchanging state of it. */
int reader_connect(struct db *db, const char *path, uint64_t *size_bytes, struct tide_error *err);

/* Fills reader->info and reader->targets. */
int reader_load(struct record_reader *reader, struct tide_error *err);

void live_layout_fini(struct live_layout *layout);

/* The first sample that ends after `at_us`; info.nr_samples + 1 when none does. */
int reader_seek(struct record_reader *reader, uint64_t at_us, int64_t *sample, struct tide_error *err);

#endif
