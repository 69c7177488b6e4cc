/* SPDX-License-Identifier: MIT */
/* Numbers and names as people read them. Each returns its text by value: format_bytes(n).s lives as long as the
 * expression. */
#ifndef REPORT_FORMAT_H
#define REPORT_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct format_text {
	char s[48];
};

/* "0 B", "4 KiB", "1.2 GiB": two or three digits that matter. */
struct format_text format_bytes(uint64_t bytes);

/* Divides `*value`, in bytes, until it is less than `limit`; returns the name of what it is in then. */
const char *format_byte_unit(double *value, double limit);

/* "0 s", "5 ms", "1.5 s", "3 min 20 s", "2 h 5 min", "3 d 4 h". */
struct format_text format_duration(uint64_t us);

/* The same in one unit, for columns: "3.3 min". */
struct format_text format_duration_short(uint64_t us);

/* Of a share in [0, 1]: "0 %", "<0.1 %", "0.8 %", "12 %"; "100 %" means all of it. */
struct format_text format_percent(double share);

/* "1,200,000". */
struct format_text format_count(uint64_t number);

/* "2026-11-21 00:12:03 UTC"; "" for a time that no calendar has. */
struct format_text format_time(uint64_t unix_us);

/* A name that came from somebody else, fit for a terminal: control and broken bytes as '?', a path's middle cut out. */
struct format_name {
	char s[320]; /* 79 columns of 4 bytes */
};
struct format_name format_name(const char *name, int columns);

/* The same for the name of a mapping: the last part of a path, "(anon)" for none. */
struct format_name format_mapping(const char *name, int columns);

/* The bytes that the UTF-8 character at `text` takes; 0 when it is broken. */
size_t format_utf8(const char *text);

/* Prints `text` broken between words into lines of `width` columns, and a newline. */
void format_wrapped(FILE *out, const char *text, int width);

#endif
