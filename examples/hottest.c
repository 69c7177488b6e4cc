/* SPDX-License-Identifier: MIT */
/*
 * This file is an example: it watches a process for some seconds and prints its hottest region once a second.
 * cc hottest.c $(pkg-config --cflags --libs libtidemark) -o hottest
 */
#include <stdio.h>
#include <stdlib.h>

#include <tidemark/session.h>

/* A sink: called with each sample, ten times a second by default. Nothing of what it gets is its own to keep. */
static int print_hottest(void *arg, const struct tide_sample *sample, struct tide_target *const *targets,
                         struct tide_error *err)
{
	unsigned *nr_samples = arg;
	const struct tide_region *hottest = NULL;
	const struct tide_mapping *mapping;

	if (++*nr_samples % 10 != 0)
		return 0;
	for (size_t i = 0; i < sample->nr_regions; i++)
		if (hottest == NULL || sample->regions[i].nr_accesses > hottest->nr_accesses)
			hottest = &sample->regions[i];
	if (hottest == NULL)
		return 0;
	mapping = tide_layout_find(tide_target_layout(targets[hottest->target]), hottest->start);
	printf("%#llx-%#llx accessed in %u of %u checks %s\n", (unsigned long long)hottest->start,
	       (unsigned long long)hottest->end, hottest->nr_accesses, sample->nr_checks,
	       mapping != NULL ? mapping->name : "");
	return 0;
}

int main(int argc, char **argv)
{
	struct tide_session_opts opts = { .size = sizeof(opts), .duration_us = 2000000 };
	struct tide_session *session = NULL;
	struct tide_error err = { 0 };
	unsigned nr_samples = 0;
	int result;

	if (argc != 2) {
		fprintf(stderr, "usage: hottest PID\n");
		return 2;
	}
	result = tide_session_open(&session, &opts, &err);
	if (result >= 0)
		result = tide_session_add_pid(session, (pid_t)atoi(argv[1]), NULL, 0, &err);
	if (result >= 0)
		result = tide_session_add_sink(session, print_hottest, &nr_samples, &err);
	if (result >= 0)
		result = tide_session_run(session, -1, &err);
	if (result < 0)
		fprintf(stderr, "hottest: %s: %s\n", tide_cause_name(err.cause), err.text);
	tide_session_close(session);
	return result < 0;
}
