/* SPDX-License-Identifier: MIT */
/* This file reads the lists of buffers registered with io_uring. */
#include "kernel/fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "kernel/procfs.h"
#include "kernel/sys.h"
#include "kernel/text.h"

#define PAGE_MASK   4095u
#define LIST        "\nUserBufs:"
#define PIECE_BYTES 4096u

/* Names of files come before the list, and some kernels print them with their newlines: the last such line is it. */
static const char *find_list(const char *text, size_t size)
{
	const char *last = NULL;
	const char *end = text + size;

	while ((text = memmem(text, (size_t)(end - text), LIST, strlen(LIST))) != NULL) {
		text += strlen(LIST);
		last = text;
	}
	return last;
}

/* "    0: 0x7f0123456000/65536\n" or "    0: <none>\n". Is it one? `*end` is 0 without a buffer. */
static bool parse_row(struct text *rest, uint64_t *start, uint64_t *end)
{
	uint64_t number;
	uint64_t bytes;

	*end = 0;
	text_blanks(rest);
	if (!text_decimal(rest, &number) || !text_char(rest, ':') || !text_char(rest, ' '))
		return false;
	if (text_char(rest, '<')) {
		const char *newline = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));

		if (newline == NULL)
			return false;
		rest->at = newline + 1;
		return true;
	}
	if (!text_char(rest, '0') || !text_char(rest, 'x') || !text_hex(rest, start) || !text_char(rest, '/') ||
	    !text_decimal(rest, &bytes) || !text_char(rest, '\n'))
		return false;
	/* Empty places were once written as one byte at the very top. */
	if (bytes > 0 && *start <= UINT64_MAX - bytes - PAGE_MASK) {
		*end = (*start + bytes + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
		*start &= ~(uint64_t)PAGE_MASK;
	}
	return true;
}

int fdinfo_parse_buffers(const char *text, size_t size, fdinfo_buffer_fn *fn, void *arg)
{
	const char *list = find_list(text, size);
	struct text rest = { list, text + size };
	uint64_t nr;

	if (list == NULL)
		return 1;
	text_blanks(&rest);
	if (!text_decimal(&rest, &nr) || !text_char(&rest, '\n'))
		return 1;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t start = 0;
		uint64_t end;
		int result;

		if (!parse_row(&rest, &start, &end))
			return 1;
		result = end != 0 ? fn(arg, start, end) : 0;
		if (result != 0)
			return result;
	}
	return 0;
}

struct listing {
	int dir;
	pid_t tid;
	fdinfo_buffer_fn *fn;
	void *arg;
	bool is_incomplete;
	size_t nr_looked;
	VEC(char) text;
};

/* 1, 0, or -errno. */
static int is_ring(const struct listing *listing, int fd)
{
	static const char name[] = "anon_inode:[io_uring]";
	char path[64];
	char link[sizeof(name)];
	ssize_t size;

	snprintf(path, sizeof(path), "task/%d/fd/%d", listing->tid, fd);
	size = sys_readlinkat(listing->dir, path, link, sizeof(link));
	if (size < 0)
		return (int)size;
	return size == sizeof(name) - 1 && memcmp(link, name, sizeof(name) - 1) == 0;
}

/* All of the file. 0 or -errno. */
static int read_text(struct listing *listing, int fd)
{
	char path[64];
	scope_sys_fd int file = -1;

	snprintf(path, sizeof(path), "task/%d/fdinfo/%d", listing->tid, fd);
	file = sys_openat(listing->dir, path, O_RDONLY);
	if (file < 0)
		return file;
	listing->text.nr = 0;
	for (;;) {
		ssize_t got;

		if (vec_reserve(&listing->text, listing->text.nr + PIECE_BYTES) < 0)
			return -ENOMEM;
		got = sys_read(file, listing->text.items + listing->text.nr, PIECE_BYTES);
		if (got <= 0)
			return (int)got;
		listing->text.nr += (size_t)got;
	}
}

static int list_one(void *arg, pid_t fd)
{
	struct listing *listing = arg;
	int result = is_ring(listing, fd);

	listing->nr_looked++;
	if (result == 1)
		result = read_text(listing, fd);
	else if (result == 0)
		return 0;
	/* Closed meanwhile; if it was the last descriptor, its buffers are not pinned any more. */
	if (result == -ENOENT)
		return 0;
	if (result == 0)
		result = fdinfo_parse_buffers(listing->text.items, listing->text.nr, listing->fn, listing->arg);
	if (result == 1) {
		listing->is_incomplete = true;
		result = 0;
	}
	return result;
}

int fdinfo_each_buffer(int dir, pid_t tid, fdinfo_buffer_fn *fn, void *arg, size_t *nr_looked)
{
	struct listing listing = { .dir = dir, .tid = tid, .fn = fn, .arg = arg };
	int result = procfs_each_descriptor(dir, tid, list_one, &listing);

	vec_free(&listing.text);
	*nr_looked = listing.nr_looked;
	return result == 0 ? listing.is_incomplete : result;
}
