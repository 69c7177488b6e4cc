/* SPDX-License-Identifier: MIT */
/* How a hot page is used, as pattern files and the truth log say it. */
#ifndef ORACLE_ACCESS_H
#define ORACLE_ACCESS_H

/* Bits: what is read and written is both. */
enum access {
	ACCESS_READ = 1,
	ACCESS_WRITE = 2,
	ACCESS_BOTH = ACCESS_READ | ACCESS_WRITE,
};

/* Its word: read, write or both. */
const char *access_name(enum access access);

/* The access that `name` (may be NULL) is the word of, or -EINVAL. */
int access_by_name(const char *name);

#endif
