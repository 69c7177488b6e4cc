/* SPDX-License-Identifier: MIT */
/* This file tests how io_uring's list of registered buffers is read. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kernel/fdinfo.h"

struct found {
	uint64_t start[8];
	uint64_t end[8];
	size_t nr;
};

static int add(void *arg, uint64_t start, uint64_t end)
{
	struct found *found = arg;

	assert_in_range(found->nr, 0, 7);
	found->start[found->nr] = start;
	found->end[found->nr++] = end;
	return 0;
}

static int parse(const char *text, struct found *found)
{
	memset(found, 0, sizeof(*found));
	return fdinfo_parse_buffers(text, strlen(text), add, found);
}

#define HEAD "pos:\t0\nflags:\t02000002\nmnt_id:\t16\nino:\t1057\nSqMask:\t0x3\nUserFiles:\t0\n"

static void B4_buffers_are_rounded_to_pages(void **unused)
{
	struct found found;

	(void)unused;
	assert_int_equal(parse(HEAD "UserBufs:\t3\n    0: 0x7f0000001000/8192\n    1: <none>\n"
	                            "    2: 0x7f0000008ff0/32\nPollList:\nCqOverflowList:\n",
	                       &found),
	                 0);
	assert_int_equal(found.nr, 2);
	assert_int_equal(found.start[0], 0x7f0000001000);
	assert_int_equal(found.end[0], 0x7f0000003000);
	assert_int_equal(found.start[1], 0x7f0000008000);
	assert_int_equal(found.end[1], 0x7f000000a000);
}

/* Before 6.13 or so a place without a buffer was printed as one byte at the top of everything. */
static void empty_places_are_no_buffers(void **unused)
{
	struct found found;

	(void)unused;
	assert_int_equal(parse(HEAD "UserBufs:\t2\n    0: 0xffffffffffffffff/1\n    1: 0x1000/0\nPollList:\n", &found),
	                 0);
	assert_int_equal(found.nr, 0);
	assert_int_equal(parse(HEAD "UserBufs:\t0\nPollList:\n", &found), 0);
}

/* When somebody is in a call into the ring, the kernel prints less. */
static void B4_a_list_left_out_is_noticed(void **unused)
{
	struct found found;

	(void)unused;
	assert_int_equal(parse(HEAD "UserBufs:\t2\nPollList:\n", &found), 1);
	assert_int_equal(parse(HEAD "UserBufs:\t2\n", &found), 1);
	assert_int_equal(parse(HEAD "UserBufs:\t2\n    0: 0x1000/4096\nPollList:\n", &found), 1);
	assert_int_equal(parse("pos:\t0\nflags:\t02000002\n", &found), 1);
	assert_int_equal(parse("", &found), 1);
}

/* Names of registered files may hold newlines on some kernels: they come before the list and cannot stand in for it. */
static void B4_a_file_name_cannot_hide_the_list(void **unused)
{
	struct found found;

	(void)unused;
	assert_int_equal(
	        parse("UserFiles:\t1\n    0: x\nUserBufs:\t0\nUserBufs:\t1\n    0: 0x5000/1\nPollList:\n", &found), 0);
	assert_int_equal(found.nr, 1);
	assert_int_equal(found.start[0], 0x5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B4_buffers_are_rounded_to_pages),
		cmocka_unit_test(empty_places_are_no_buffers),
		cmocka_unit_test(B4_a_list_left_out_is_noticed),
		cmocka_unit_test(B4_a_file_name_cannot_hide_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
