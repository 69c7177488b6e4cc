/* SPDX-License-Identifier: MIT */
/*
 * This program makes a record of a process that does not exist: make-record FILE [SAMPLES [REGIONS [TARGETS
 * [MAPPINGS]]]].
 */
#include <stdio.h>
#include <stdlib.h>

#include "record/writer.h"
#include "synthetic.h"

int main(int argc, char **argv)
{
	struct synthetic_opts opts = { .unobservable = true, .growing = true };
	unsigned long nr_samples = argc > 2 ? strtoul(argv[2], NULL, 10) : 12000;
	struct record_writer *writer = NULL;
	struct tide_error err = { 0 };
	struct synthetic *synthetic;
	int result;

	opts.nr_regions = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 100;
	opts.nr_targets = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 1;
	opts.nr_pieces = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 1;
	if (argc < 2) {
		fprintf(stderr, "usage: make-record FILE [SAMPLES [REGIONS [TARGETS [MAPPINGS]]]]\n");
		return 2;
	}
	synthetic = synthetic_new(&opts);
	result = record_create(&writer, argv[1], &synthetic_info, &err);
	if (result == 0)
		result = synthetic_put(writer, synthetic, nr_samples, &err);
	if (writer != NULL && result == 0)
		result = record_finish(writer, &err);
	synthetic_free(synthetic);
	if (result < 0)
		fprintf(stderr, "make-record: %s\n", err.text);
	return result < 0;
}
