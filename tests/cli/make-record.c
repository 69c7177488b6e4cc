/* SPDX-License-Identifier: MIT */
/* This file is a program for tests: it writes a record of processes that do not exist. FILE SAMPLES PROCESSES [writes]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/synthetic.h"

int main(int argc, char **argv)
{
	struct synthetic_opts opts = { .unobservable = true, .growing = true };
	struct record_writer *writer = NULL;
	struct tide_error err = { 0 };
	struct synthetic *synthetic;
	int result;

	if (argc != 4 && !(argc == 5 && strcmp(argv[4], "writes") == 0))
		return 2;
	opts.nr_targets = (uint32_t)atoi(argv[3]);
	opts.writes = argc == 5;
	synthetic = synthetic_new(&opts);
	result = record_create(&writer, argv[1], synthetic_info_of(&opts), &err);
	if (result == 0)
		result = synthetic_put(writer, synthetic, (size_t)atoi(argv[2]), &err);
	if (result == 0)
		result = record_finish(writer, &err);
	if (result < 0)
		fprintf(stderr, "%s\n", err.text);
	synthetic_free(synthetic);
	return result < 0;
}
