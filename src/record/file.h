/* SPDX-License-Identifier: MIT */
/* A record as a file, before SQLite sees it: what is at a path, and how a new record gets there. */
#ifndef RECORD_FILE_H
#define RECORD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <tidemark/error.h>

enum file_kind {
	FILE_ABSENT,
	FILE_EMPTY,  /* nothing to lose */
	FILE_RECORD, /* begins as a tidemark record does */
	FILE_DIRECTORY,
	FILE_SPECIAL,   /* a device, pipe or socket */
	FILE_TRUNCATED, /* a record's beginning, but not all of it is there */
	FILE_FOREIGN,   /* anything else: another program's database too */
};

struct file_facts {
	enum file_kind kind;
	uint32_t version; /* the schema's, of a record */
	uint64_t size_bytes;
	uint64_t log_bytes;    /* of the write-ahead log beside it; 0: none */
	uint64_t wanted_bytes; /* what the header says the size is */
	bool uses_log;         /* its header says that a write-ahead log may hold the newest part */
};

/* Looks at `path` without changing it. An absent file is an answer, not an error. */
int file_look(const char *path, struct file_facts *out, struct tide_error *err);

/*
 * The path to create a record at: `path`, or what it links to. `*out` is the caller's to free; `*replaces` is set when
 * a record is there. Errors: USAGE anything else is there.
 */
int file_resolve(const char *path, char **out, bool *replaces, struct tide_error *err);

/* Creates an empty file beside `path`, whose name the caller frees. */
int file_create_beside(const char *path, char **out, struct tide_error *err);

/* Gives `from` the name `to`; a file that is there is replaced only if `replace`. */
int file_install(const char *from, const char *to, bool replace, struct tide_error *err);

/* Removes `path` and what SQLite keeps beside it. Never fails: what is not there is fine. */
void file_remove(const char *path);

/* Copies `path` and its write-ahead log into a new private directory; the copy's name is the caller's to free. */
int file_copy_private(const char *path, char **out, struct tide_error *err);

/* Removes a private copy and its directory; open descriptors stay good. */
void file_remove_private(const char *copy);

#endif
