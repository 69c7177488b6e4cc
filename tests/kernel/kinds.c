/* SPDX-License-Identifier: MIT */
/* This file runs the tests of kinds of memory: makes each, has it looked at, prints what was said. */
#include "kinds-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "need.h"

/* Of the child that lives. */
static int heard;
static int said_to;

void kinds_become(const char *program)
{
	int in = fcntl(heard, F_DUPFD, 10);
	int out = fcntl(said_to, F_DUPFD, 10);

	if (dup2(in, KINDS32_IN) >= 0 && dup2(out, KINDS32_OUT) >= 0)
		execl(program, program, (char *)NULL);
}

/* In the child. */
static int live(int in, int out, void *arg)
{
	const struct fixture *fix = arg;
	const struct kind *kind = fix->kind;

	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	heard = in;
	said_to = out;
	kind->make(fix->place);
	for (;;) {
		child_say(out);
		child_pause(in);
		if (kind->use != NULL)
			kind->use(fix->place);
		else if (kind->touch != TOUCH_NOTHING)
			kinds_touch(fix->place, 2 * fix->granule, kind->touch == TOUCH_WRITE);
	}
	return 0;
}

static void print_answers(const char *when, const struct answers *answers, bool touched)
{
	printf("; %s:", when);
	if (answers->nr[touched] == 0)
		printf(" -");
	if (answers->idle[touched] > 0)
		printf(" %zu idle", answers->idle[touched]);
	if (answers->accessed[touched] > 0)
		printf(" %zu accessed", answers->accessed[touched]);
	for (unsigned reason = 0; reason < TIDE_NR_REASONS; reason++)
		if (answers->reasons[touched][reason] > 0)
			printf(" %zu %s", answers->reasons[touched][reason], tide_reason_name(reason));
}

static void print_said(const struct fixture *fix, const struct said *said)
{
	printf("KIND %s:", fix->kind->name);
	for (unsigned bit = 0; bit < 16; bit++)
		if (said->bytes[bit] > 0)
			printf(" %s%s", said->bytes[bit] < kinds_size(fix) ? "some " : "",
			       tide_page_category_name(UINT64_C(1) << bit));
}

static void begin(struct fixture *fix, const struct kind *kind)
{
	memset(fix, 0, sizeof(*fix));
	fix->kind = kind;
	fix->granule = kind->granule > 0 ? kind->granule : KINDS_PAGE;
	fix->place = mmap(NULL, KINDS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fix->place, MAP_FAILED);
	child_start(&fix->child, live, fix);
}

static void open_sensor(struct fixture *fix)
{
	if (tide_sensor_choose(&fix->ops, "walk", &fix->err) < 0 ||
	    tide_target_open(&fix->target, fix->child.pid, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
	fix->sensor = calloc(1, fix->ops->state_size);
	if (fix->ops->init(fix->sensor, fix->target, &fix->err) < 0)
		fail_msg("%s", fix->err.text);
}

static void end(struct fixture *fix)
{
	if (fix->sensor != NULL)
		fix->ops->cleanup(fix->sensor);
	free(fix->sensor);
	tide_pages_close(fix->pages);
	tide_target_close(fix->target);
	child_end(&fix->child);
	munmap(fix->place, KINDS_PAGE);
}

static unsigned nr_made;
static char lack[256]; /* of the last that was not */

static void run_kind(void **state)
{
	struct fixture fix;
	struct said said;
	struct answers unused;
	struct answers used;
	const struct kind *kind = *state;

	begin(&fix, kind);
	if (fix.place->lacks[0] != '\0') {
		snprintf(lack, sizeof(lack), "no %s: %s", kind->name, fix.place->lacks);
		fprintf(stderr, "%s\n", lack);
		end(&fix);
		skip();
	}
	nr_made++;
	open_sensor(&fix);
	kinds_check_pages(&fix, &said);
	kinds_aim(&fix);
	kinds_watch(&fix, false, &unused);
	print_said(&fix, &said);
	print_answers("unused", &unused, false);
	kinds_expect_claims(&fix, &unused, false);
	kinds_watch(&fix, true, &used);
	print_answers("used", &used, true);
	print_answers("its neighbours", &used, false);
	printf("\n");
	kinds_expect_claims(&fix, &used, true);
	end(&fix);
}

static const char *names_of(uint64_t bits, char *text, size_t size, bool of_reasons)
{
	size_t at = 0;

	text[0] = '\0';
	for (unsigned bit = 0; bit < 32; bit++)
		if (bits >> bit & 1)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at > 0 ? of_reasons ? " or " : " " : "",
			                       of_reasons ? tide_reason_name(bit)
			                                  : tide_page_category_name(UINT64_C(1) << bit));
	return text;
}

static void print_row(const struct kind *kind)
{
	static const char *const claims[] = {
		[CLAIM_SEEN] = "idle or accessed",
		[CLAIM_LARGE] = "idle or accessed; before Linux 6.10 unobservable: partial",
		[CLAIM_EITHER] = "idle or accessed, or unobservable: ",
		[CLAIM_NONE] = "unobservable: ",
		[CLAIM_ABSENT] = "idle; accessed when it comes",
		[CLAIM_COMES] = "idle; when it comes unobservable: ",
	};
	const char *claim = claims[kind->claim];
	uint64_t may = OF_KIND & ~(kind->must | kind->never | TIDE_PAGE_WPALLOWED);
	char must[128];
	char maybe[128];
	char reasons[128];

	/* What cannot be touched. */
	if (kind->touch == TOUCH_NOTHING && kind->claim == CLAIM_ABSENT)
		claim = "idle";
	if (kind->touch == TOUCH_NOTHING && kind->claim == CLAIM_EITHER)
		claim = "idle, or unobservable: ";
	names_of(kind->must & OF_KIND, must, sizeof(must), false);
	names_of(may, maybe, sizeof(maybe), false);
	printf("| %s | %s%s%s%s | %s%s |\n", kind->name,
	       must[0] != '\0' ? must
	       : may != 0      ? ""
	                       : "nothing",
	       must[0] != '\0' && may != 0 ? ", " : "", may != 0 ? "perhaps " : "", may != 0 ? maybe : "", claim,
	       names_of(kind->reasons, reasons, sizeof(reasons), true));
}

int kinds_main(const struct kind *kinds, size_t nr, int argc, char **argv)
{
	struct CMUnitTest tests[32] = { 0 };
	int skipped;
	int result;

	assert_true(nr <= 32);
	if (argc > 1 && strcmp(argv[1], "--table") == 0) {
		for (size_t i = 0; i < nr; i++)
			print_row(&kinds[i]);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	skipped = need_walk();
	for (size_t i = 0; i < nr; i++)
		tests[i] = (struct CMUnitTest){ .name = kinds[i].test,
			                        .test_func = run_kind,
			                        .initial_state = (void *)(uintptr_t)&kinds[i] };
	if (skipped != 0)
		return skipped;
	result = _cmocka_run_group_tests("kinds", tests, nr, NULL, NULL);
	if (result != 0 || nr_made > 0)
		return result;
	fprintf(stderr, "%s\n", lack);
	return 77;
}
