/* SPDX-License-Identifier: MIT */
/* This file tests how the doctor's table is written, and what it makes of files that this machine need not have. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/pagescan.h"
#include "kernel/sys.h"
#include "verify/doctor.h"
#include "kernel/sysfile.h"

static struct doctor_row rows[] = {
	{ "first", DOCTOR_YES, "it is there", "" },
	{ "a-longer-name", DOCTOR_NO, "refused with \"EPERM\"", "be root" },
	{ "third", DOCTOR_UNKNOWN, "who knows", "" },
	{ "fourth", DOCTOR_NO, "refused again", "be root" },
	{ "fifth", DOCTOR_NO, "harmless", "" },
};

static void script(struct doctor_report *report, const char *sensor)
{
	*report = (struct doctor_report){ .sensor = sensor };
	report->rows.items = rows;
	report->rows.nr = sizeof(rows) / sizeof(rows[0]);
	strcpy(report->why, sensor != NULL ? "walk, the best" : "sensor walk: no privileges");
}

typedef int print_fn(FILE *out, const struct doctor_report *report, bool color, struct tide_error *err);

static int print_json(FILE *out, const struct doctor_report *report, bool color, struct tide_error *err)
{
	(void)color;
	return doctor_print_json(out, report, err);
}

static char *printed(print_fn *print, const char *sensor, bool color)
{
	struct doctor_report report;
	struct tide_error err = { 0 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	script(&report, sensor);
	assert_int_equal(print(out, &report, color, &err), 0);
	fclose(out);
	return text;
}

static void text_is_aligned_and_says_each_remedy_once(void **unused)
{
	char *text = printed(doctor_print_text, "walk", false);

	(void)unused;
	assert_string_equal(text, "first          yes            it is there\n"
	                          "a-longer-name  no             refused with \"EPERM\"\n"
	                          "third          could not ask  who knows\n"
	                          "fourth         no             refused again\n"
	                          "fifth          no             harmless\n"
	                          "\n"
	                          "What to do:\n"
	                          "- be root\n"
	                          "\n"
	                          "sensor: walk, the best\n");
	free(text);
}

static void text_says_that_no_sensor_is_left(void **unused)
{
	char *text = printed(doctor_print_text, NULL, false);

	(void)unused;
	assert_non_null(strstr(text, "\nno sensor works here: sensor walk: no privileges\n"));
	free(text);
}

/* Red is what wants to be dealt with, not every no. */
static void colors_follow_the_remedy(void **unused)
{
	char *text = printed(doctor_print_text, "walk", true);

	(void)unused;
	assert_non_null(strstr(text, "\033[32myes\033[0m"));
	assert_non_null(strstr(text, "a-longer-name  \033[31mno\033[0m             refused"));
	assert_non_null(strstr(text, "\033[33mcould not ask\033[0m  who"));
	assert_non_null(strstr(text, "fifth          \033[32mno\033[0m"));
	free(text);
}

static void long_reasons_go_on_in_their_column(void **unused)
{
	struct doctor_row row = { .name = "long", .answer = DOCTOR_YES };
	struct doctor_report report = { .sensor = "walk" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)unused;
	for (int i = 0; i < 40; i++)
		strcat(row.reason, i > 0 ? " word" : "word");
	report.rows.items = &row;
	report.rows.nr = 1;
	assert_int_equal(doctor_print_text(out, &report, false, NULL), 0);
	fclose(out);
	assert_non_null(strstr(text, "word\n                     word"));
	for (const char *line = text; *line != 0; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
	free(text);
}

static void json_lines_are_objects_with_their_names(void **unused)
{
	char *text = printed(print_json, NULL, false);
	char *at = text;
	const char *lines[16];
	size_t nr = 0;
	json_t *object;

	(void)unused;
	while (nr < 16 && (lines[nr] = strsep(&at, "\n")) != NULL && *lines[nr] != 0)
		nr++;
	assert_int_equal(nr, 7);
	assert_string_equal(lines[0], "{\"schema\":\"tidemark/1\",\"report\":\"doctor\"}");
	object = json_loads(lines[2], 0, NULL);
	assert_string_equal(json_string_value(json_object_get(object, "name")), "a-longer-name");
	assert_string_equal(json_string_value(json_object_get(object, "answer")), "no");
	assert_string_equal(json_string_value(json_object_get(object, "reason")), "refused with \"EPERM\"");
	assert_string_equal(json_string_value(json_object_get(object, "remedy")), "be root");
	json_decref(object);
	assert_non_null(strstr(lines[3], "\"answer\":\"unknown\""));
	assert_string_equal(lines[6], "{\"sensor\":null,\"why\":\"sensor walk: no privileges\"}");
	free(text);
}

static void a_full_disk_is_an_error(void **unused)
{
	struct doctor_report report;
	struct tide_error err = { 0 };
	FILE *out = fopen("/dev/full", "w");

	(void)unused;
	script(&report, "walk");
	setvbuf(out, NULL, _IONBF, 0);
	assert_true(doctor_print_text(out, &report, false, &err) < 0);
	assert_int_equal(err.cause, TIDE_CAUSE_SYSTEM);
	assert_true(doctor_print_json(out, &report, &err) < 0);
	fclose(out);
}

/* A kernel made of one file: whoever opens `fake_path` reads what is written here, a NULL text is "no such file". */
static const char *fake_path;
static const char *fake_texts[2]; /* of the first open and of those after it */
static unsigned nr_opens;

static int fake_open(const char *path, int flags, mode_t mode)
{
	const char *text;
	int fd;

	if (strcmp(path, fake_path) != 0)
		return sys_table_linux.open(path, flags, mode);
	text = fake_texts[nr_opens++ > 0];
	if (text == NULL) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("fake", MFD_CLOEXEC);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	return fd;
}

static struct doctor_row put(const struct doctor_question *questions, const char *name, const struct sys_table *fake)
{
	struct doctor_row row = { .answer = DOCTOR_UNKNOWN };

	while (strcmp(questions->name, name) != 0)
		questions++;
	strcpy(row.name, name);
	sys_table = fake;
	questions->ask(&row);
	sys_table = &sys_table_linux;
	return row;
}

static struct doctor_row asked(const struct doctor_question *questions, const char *name, const char *path,
                               const char *first, const char *then)
{
	struct sys_table fake = sys_table_linux;
	struct doctor_row row;

	fake.open = fake_open;
	fake_path = path;
	fake_texts[0] = first;
	fake_texts[1] = then;
	nr_opens = 0;
	row = put(questions, name, &fake);
	assert_true(nr_opens > 0);
	return row;
}

static struct doctor_row lockdown(const char *text)
{
	return asked(questions_bpf, "lockdown", "/sys/kernel/security/lockdown", text, text);
}

static void only_confidentiality_forbids_the_walker(void **unused)
{
	struct doctor_row row = lockdown("none integrity [confidentiality]\n");

	(void)unused;
	assert_int_equal(row.answer, DOCTOR_YES);
	assert_non_null(strstr(row.remedy, "lockdown=confidentiality"));
	row = lockdown("none [integrity] confidentiality\n");
	assert_int_equal(row.answer, DOCTOR_YES);
	assert_string_equal(row.remedy, "");
	assert_int_equal(lockdown("[none] integrity confidentiality\n").answer, DOCTOR_NO);
	assert_int_equal(lockdown(NULL).answer, DOCTOR_UNKNOWN);
}

static struct doctor_row mglru(const char *text)
{
	return asked(questions_others, "others-mglru", "/sys/kernel/mm/lru_gen/enabled", text, text);
}

static struct doctor_row reclaim(const char *before, const char *after)
{
	return asked(questions_others, "others-reclaim", "/proc/vmstat", before, after);
}

static void A8_others_that_clear_are_named(void **unused)
{
	struct doctor_row row = mglru("0x0007\n");

	(void)unused;
	assert_int_equal(row.answer, DOCTOR_YES);
	assert_non_null(strstr(row.reason, "0x0007"));
	assert_true(row.remedy[0] != 0);
	assert_int_equal(mglru("0x0000\n").answer, DOCTOR_NO);
	assert_int_equal(mglru(NULL).answer, DOCTOR_NO);

	/* What kswapd and direct reclaim look at counts; how often somebody was throttled does not. */
	row = reclaim("nr_x 1\npgscan_kswapd 10\npgscan_direct 5\n", "nr_x 9\npgscan_kswapd 30\npgscan_direct 8\n");
	assert_int_equal(row.answer, DOCTOR_YES);
	assert_non_null(strstr(row.reason, " 23 pages"));
	row = reclaim("pgscan_kswapd 10\npgscan_direct_throttle 1\n", "pgscan_kswapd 10\npgscan_direct_throttle 9\n");
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_int_equal(reclaim(NULL, NULL).answer, DOCTOR_UNKNOWN);

	row = asked(questions_others, "others-damon", "/sys/module/damon_stat/parameters/enabled", "Y\n", "Y\n");
	assert_int_equal(row.answer, DOCTOR_YES);
	assert_non_null(strstr(row.reason, "damon_stat"));
	row = asked(questions_others, "others-page-idle", "/sys/kernel/mm/page_idle/bitmap", "", "");
	assert_int_equal(row.answer, DOCTOR_YES);
}

static void missing_btf_is_a_no(void **unused)
{
	struct doctor_row row = asked(questions_bpf, "btf", "/sys/kernel/btf/vmlinux", NULL, NULL);

	(void)unused;
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_non_null(strstr(row.remedy, "CONFIG_DEBUG_INFO_BTF"));
	assert_int_equal(asked(questions_bpf, "btf", "/sys/kernel/btf/vmlinux", "ELF", "ELF").answer, DOCTOR_NO);
}

static void capabilities_are_told_apart(void **unused)
{
	const char *nice = "Name:\tx\nCapEff:\t0000000000800000\nSeccomp:\t2\n";
	const char *admin = "Name:\tx\nCapEff:\t0000000000200000\nSeccomp:\t0\n";
	const char *path = "/proc/thread-self/status";
	struct doctor_row row = asked(questions_caps, "CAP_BPF", path, nice, nice);

	(void)unused;
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_non_null(strstr(row.remedy, "CAP_BPF"));
	assert_int_equal(asked(questions_caps, "CAP_SYS_NICE", path, nice, nice).answer, DOCTOR_YES);
	/* CAP_SYS_ADMIN stands in for CAP_BPF, but not for CAP_SYS_NICE. */
	row = asked(questions_caps, "CAP_BPF", path, admin, admin);
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_string_equal(row.remedy, "");
	row = asked(questions_caps, "CAP_SYS_NICE", path, admin, admin);
	assert_non_null(strstr(row.remedy, "CAP_SYS_NICE"));
	assert_int_equal(asked(questions_caps, "CAP_BPF", path, NULL, NULL).answer, DOCTOR_UNKNOWN);
	assert_int_equal(asked(questions_place, "seccomp", path, nice, nice).answer, DOCTOR_YES);
	assert_int_equal(asked(questions_place, "seccomp", path, admin, admin).answer, DOCTOR_NO);
}

static int refuse_userfaultfd(int flags)
{
	(void)flags;
	errno = EPERM;
	return -1;
}

/* It is asked in a child, as writers wait for it. */
static void E2_who_may_not_list_writes_is_told_the_way_out(void **unused)
{
	struct sys_table fake = sys_table_linux;
	struct doctor_row row;

	(void)unused;
	fake.userfaultfd = refuse_userfaultfd;
	fake.open = fake_open;
	fake_path = "/dev/userfaultfd";
	fake_texts[0] = NULL;
	nr_opens = 0;
	row = put(questions_tracking, "write-list", &fake);
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_non_null(strstr(row.reason, pagescan_probe() == 0 ? "Linux 6.7" : "CAP_SYS_PTRACE"));
	if (pagescan_probe() != 0)
		assert_non_null(strstr(row.remedy, "access to /dev/userfaultfd"));

	setenv("TIDEMARK_FAULT", "no-pagemap-scan", 1);
	row = put(questions_tracking, "write-list", &sys_table_linux);
	unsetenv("TIDEMARK_FAULT");
	assert_int_equal(row.answer, DOCTOR_NO);
	assert_non_null(strstr(row.reason, "switched off by TIDEMARK_FAULT"));
}

static void numbers_are_found_by_whole_keys(void **unused)
{
	(void)unused;
	assert_int_equal(sysfile_number("ab 1\na 2\n", "a", 9), 2);
	assert_int_equal(sysfile_number("xa 1\nb:\t3", "b:", 9), 3);
	assert_int_equal(sysfile_number("ab 1\n", "a", 9), 9);
	assert_int_equal(sysfile_number("a x\n", "a", 9), 9);
	assert_int_equal(sysfile_number("", "a", 9), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_aligned_and_says_each_remedy_once),
		cmocka_unit_test(text_says_that_no_sensor_is_left),
		cmocka_unit_test(colors_follow_the_remedy),
		cmocka_unit_test(long_reasons_go_on_in_their_column),
		cmocka_unit_test(json_lines_are_objects_with_their_names),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(only_confidentiality_forbids_the_walker),
		cmocka_unit_test(A8_others_that_clear_are_named),
		cmocka_unit_test(missing_btf_is_a_no),
		cmocka_unit_test(capabilities_are_told_apart),
		cmocka_unit_test(E2_who_may_not_list_writes_is_told_the_way_out),
		cmocka_unit_test(numbers_are_found_by_whole_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
