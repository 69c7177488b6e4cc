/* SPDX-License-Identifier: MIT */
/* This file feeds garbage to the parser of workloads. What it lets through must be sound, and can be asked anything. */
#include <stdint.h>
#include <stdlib.h>

#include "fuzz.h"
#include "workload-file.h"

const char *const fuzz_seeds[] = {
	"{\"name\":\"n\",\"mappings\":[{\"name\":\"heap\",\"size\":\"1TiB\",\"populated\":\"64GiB\",\"page\":\"2MiB\","
	"\"address\":\"0x7f0000000000\",\"from\":\"0ms\",\"until\":\"9s\"}],\"sets\":[{\"in\":\"heap\",\"at\":"
	"\"60GiB\","
	"\"size\":\"4GiB\",\"read_every\":\"2ms\",\"share\":0.5,\"moves_by\":\"2GiB\",\"moves_every\":\"1ms\"}]}",
	"{\"mappings\":[{\"size\":\"8KiB\"},{\"name\":\"b\",\"size\":\"1GiB\",\"page\":\"1GiB\"}],\"sets\":[{\"in\":"
	"\"b\","
	"\"write_every\":\"36500d\",\"from\":\"1s\"},{\"in\":\"b\",\"read_every\":\"1us\",\"until\":\"1s\"}],"
	"\"unobservable\":[{\"in\":\"\",\"at\":\"4KiB\",\"size\":\"4KiB\",\"reason\":\"locked\"}]}",
	NULL,
};

static void must(int condition)
{
	if (!condition)
		abort();
}

/* At the edges of all that has edges. */
static void ask(const struct workload *workload, uint64_t at_ns)
{
	for (size_t i = 0; i < workload->mappings.nr; i++) {
		const struct workload_mapping *mapping = &workload->mappings.items[i];
		uint64_t last = mapping->start + mapping->populated_bytes - 4096;

		must(workload_page(workload, last, mapping->from_ns) == mapping);
		must(workload_page(workload, last + 4096, mapping->from_ns) != mapping);
		must(!workload_used(workload, mapping, last, at_ns, at_ns, WORKLOAD_USES));
		workload_used(workload, mapping, last, 0, at_ns, WORKLOAD_USES);
		workload_used(workload, mapping, mapping->start, at_ns, at_ns + 5000000, WORKLOAD_WRITES);
		workload_blindness(workload, mapping, last);
	}
}

static void sum_up(const struct workload *workload, uint64_t at_ns)
{
	struct workload_hots hots = { 0 };
	uint64_t floor = 0;

	must(workload_hot(workload, at_ns, 5000000, WORKLOAD_USES, &hots) == 0);
	for (size_t i = 0; i < hots.list.nr; i++) {
		const struct workload_hot *hot = &hots.list.items[i];

		must(hot->start >= floor && hot->end > hot->start && hot->share > 0 && hot->share <= 1.000001);
		must(workload_page(workload, hot->start, at_ns) != NULL);
		must(workload_page(workload, hot->end - 4096, at_ns) == workload_page(workload, hot->start, at_ns));
		floor = hot->end;
	}
	vec_free(&hots.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t times_ns[] = { 0, 1, 2000000000, 600000000000, UINT64_MAX / 4 };
	struct workload workload;
	struct tide_error err = { 0 };
	int result = workload_parse(&workload, (const char *)data, size, &err);

	must(result == 0 || (result < 0 && err.code == result && err.text[0] != 0));
	if (result < 0)
		return 0;
	must(workload_check(&workload, NULL) == 0);
	for (size_t i = 0; i < sizeof(times_ns) / sizeof(times_ns[0]); i++) {
		ask(&workload, times_ns[i]);
		sum_up(&workload, times_ns[i]);
	}
	workload_fini(&workload);
	return 0;
}
