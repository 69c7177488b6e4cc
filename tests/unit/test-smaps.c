/* SPDX-License-Identifier: MIT */
/* This file tests the parser of /proc/PID/smaps. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/smaps.h"

#define HEADER "7f0000001000-7f0000003000 rw-p 00002000 fe:01 12                         /lib/x.so\n"
#define SIZES                                                                                                          \
	"Size:                  8 kB\nKernelPageSize:        4 kB\nRss:                   8 kB\n"                      \
	"Pss:                   4 kB\nReferenced:            4 kB\n"
#define FLAGS "VmFlags: rd wr mr mw me sd \n"

struct seen {
	struct smaps_vma vmas[4];
	unsigned nr;
	int stop_at; /* the callback's answer; 0: go on */
};

static int see(void *arg, const struct smaps_vma *vma)
{
	struct seen *seen = arg;

	assert_true(seen->nr < 4);
	seen->vmas[seen->nr++] = *vma;
	return seen->stop_at;
}

static int parse(const char *text, struct seen *seen)
{
	struct smaps_parser parser = { 0 };
	int result;

	*seen = (struct seen){ 0 };
	result = smaps_parser_feed(&parser, text, strlen(text), see, seen);
	if (result == 0)
		result = smaps_parser_end(&parser, see, seen);
	smaps_parser_fini(&parser);
	return result;
}

static void fields_of_a_mapping(void **unused)
{
	struct seen seen;

	(void)unused;
	assert_int_equal(parse(HEADER SIZES
	                       "AnonHugePages:      2048 kB\nShmemPmdMapped:        0 kB\nFilePmdMapped:      4096 kB\n"
	                       "Shared_Hugetlb:        4 kB\nPrivate_Hugetlb:       8 kB\nTHPeligible:           0\n"
	                       "ProtectionKey:         0\n" FLAGS,
	                       &seen),
	                 0);
	assert_int_equal(seen.nr, 1);
	assert_int_equal(seen.vmas[0].vma.start, 0x7f0000001000);
	assert_int_equal(seen.vmas[0].vma.end, 0x7f0000003000);
	assert_int_equal(seen.vmas[0].vma.inode, 12);
	assert_null(seen.vmas[0].vma.name);
	assert_int_equal(seen.vmas[0].rss_bytes, 8192);
	assert_int_equal(seen.vmas[0].referenced_bytes, 4096);
	assert_int_equal(seen.vmas[0].huge_bytes, 6144 * 1024);
	assert_int_equal(seen.vmas[0].hugetlb_bytes, 12 * 1024);
	assert_int_equal(seen.vmas[0].kinds, 0);
}

static void kinds_of_mappings(void **unused)
{
	static const struct {
		const char *flags;
		uint32_t kinds;
	} cases[] = {
		{ "VmFlags: rd mr me de ht \n", SMAPS_HUGETLB },
		{ "VmFlags: rd pf io de dd \n", SMAPS_PFNMAP | SMAPS_IO },
		{ "VmFlags: mm ?? sl\n", SMAPS_MIXED },
		{ "VmFlags: \n", 0 },
		{ "VmFlags:\n", 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		struct seen seen;

		snprintf(text, sizeof(text), HEADER SIZES "%s", cases[i].flags);
		assert_int_equal(parse(text, &seen), 0);
		assert_int_equal(seen.vmas[0].kinds, cases[i].kinds);
	}
}

/* A file's name may look like anything, but not begin a line: the kernel writes its newlines as \012. */
static void names_that_look_like_fields(void **unused)
{
	struct seen seen;

	(void)unused;
	assert_int_equal(parse("1000-2000 rw-p 00000000 fe:01 12   /tmp/Rss: 4 kB\\012Referenced: 4 kB\n" SIZES FLAGS
	                       "3000-4000 rw-p 00000000 00:00 0    [anon:VmFlags: ht]\n" SIZES FLAGS
	                       "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]\n"
	                       "Rss:                   0 kB\nReferenced:            0 kB\nVmFlags: ex \n",
	                       &seen),
	                 0);
	assert_int_equal(seen.nr, 3);
	assert_int_equal(seen.vmas[0].rss_bytes, 8192);
	assert_int_equal(seen.vmas[1].kinds, 0);
	assert_int_equal(seen.vmas[2].vma.start, 0xffffffffff600000);
	assert_int_equal(seen.vmas[2].rss_bytes, 0);
}

static void what_no_kernel_writes_is_refused(void **unused)
{
	static const char *const texts[] = {
		SIZES,                                        /* fields of nothing */
		HEADER,                                       /* a mapping without fields */
		HEADER SIZES,                                 /* without flags */
		HEADER SIZES HEADER SIZES FLAGS,              /* the same in the middle */
		HEADER "Rss: 4 kB\n" FLAGS,                   /* Referenced lacks */
		HEADER "Referenced: 4 kB\n" FLAGS,            /* Rss lacks */
		HEADER SIZES FLAGS "Rss: 8 kB\n",             /* twice */
		HEADER SIZES FLAGS FLAGS,                     /* twice */
		HEADER "Rss: 8 MB\nReferenced: 0 kB\n" FLAGS, /* another unit */
		HEADER "Rss: 8 kB \nReferenced: 0 kB\n" FLAGS,
		HEADER "Rss: -8 kB\nReferenced: 0 kB\n" FLAGS,
		HEADER "Rss: 18446744073709551615 kB\nReferenced: 0 kB\n" FLAGS, /* more bytes than there are */
		HEADER SIZES "VmFlags: rd wrx\n",
		HEADER SIZES "no field\n" FLAGS,
		HEADER SIZES "\n" FLAGS,
		HEADER SIZES "VmFlags: rd wr", /* the end is missing */
		"7f0000001000-7f0000003000 rw-p\n" SIZES FLAGS,
	};
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (parse(texts[i], &seen) != -EBADMSG)
			fail_msg("taken for smaps: %s", texts[i]);
	assert_int_equal(parse("", &seen), 0);
	assert_int_equal(seen.nr, 0);
}

static void the_callback_ends_it(void **unused)
{
	struct smaps_parser parser = { 0 };
	struct seen seen = { .stop_at = 7 };
	const char text[] = HEADER SIZES FLAGS HEADER SIZES FLAGS;

	(void)unused;
	assert_int_equal(smaps_parser_feed(&parser, text, strlen(text), see, &seen), 7);
	assert_int_equal(seen.nr, 1);
	smaps_parser_fini(&parser);
}

static int count(void *arg, const struct smaps_vma *vma)
{
	*(uint64_t *)arg += vma->rss_bytes;
	return 0;
}

static void our_own_text_is_understood(void **unused)
{
	struct lines_cost cost = { 0 };
	uint64_t rss_bytes = 0;
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	long nr;

	(void)unused;
	if (fd < 0)
		skip();
	nr = smaps_read(fd, count, &rss_bytes, &cost);
	assert_true(nr > 5);
	assert_true(rss_bytes > 0);
	assert_true(cost.nr_calls >= 2);
	/* From its beginning again. */
	assert_int_equal(smaps_read(fd, count, &rss_bytes, NULL), nr);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_of_a_mapping),         cmocka_unit_test(kinds_of_mappings),
		cmocka_unit_test(names_that_look_like_fields), cmocka_unit_test(what_no_kernel_writes_is_refused),
		cmocka_unit_test(the_callback_ends_it),        cmocka_unit_test(our_own_text_is_understood),
	};

	return cmocka_run_group_tests_name("smaps", tests, NULL, NULL);
}
