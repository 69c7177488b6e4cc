/* SPDX-License-Identifier: MIT */
/*
 * This file makes rows for people out of regions: neighbours in one mapping of which the table would say the same
 * become one. The monitor splits at random again and again, so what is alike lies in pieces most of the time.
 */
#include <string.h>

#include "report/regions.h"

int regions_tenth(double share)
{
	/* What is a tenth but for the rounding of a mean is that tenth. */
	int tenth = (int)(share * 10 + 1e-9);

	return tenth < 9 ? tenth : 9;
}

/* Ages in steps that make a difference to people. */
static int age_class(uint64_t age_us)
{
	static const uint64_t seconds[] = { 1, 10, 60, 600, 3600 };
	int class = 0;

	while (class < (int)(sizeof(seconds) / sizeof(seconds[0])) && age_us >= seconds[class] * 1000000)
		class ++;
	return class;
}

static bool is_alike(const struct region_mean *a, const struct region_mean *b)
{
	return a->last.target == b->last.target && a->last.end == b->last.start && a->heat == b->heat &&
	       regions_tenth(a->accesses) == regions_tenth(b->accesses) &&
	       regions_tenth(a->writes) == regions_tenth(b->writes) &&
	       regions_tenth(a->unobservable) == regions_tenth(b->unobservable) &&
	       regions_tenth(a->untold) == regions_tenth(b->untold) && age_class(a->age_us) == age_class(b->age_us) &&
	       strcmp(a->mapping, b->mapping) == 0;
}

static double weigh(double a, double a_bytes, double b, double b_bytes)
{
	return (a * a_bytes + b * b_bytes) / (a_bytes + b_bytes);
}

static void absorb(struct region_mean *a, const struct region_mean *b)
{
	double a_bytes = (double)(a->last.end - a->last.start);
	double b_bytes = (double)(b->last.end - b->last.start);

	a->accesses = weigh(a->accesses, a_bytes, b->accesses, b_bytes);
	a->writes = weigh(a->writes, a_bytes, b->writes, b_bytes);
	a->unobservable = weigh(a->unobservable, a_bytes, b->unobservable, b_bytes);
	a->untold = weigh(a->untold, a_bytes, b->untold, b_bytes);
	a->unobservable_bytes += b->unobservable_bytes;
	a->mapped_bytes += b->mapped_bytes;
	/* All of it has been so for at least so long. */
	if (b->age_us < a->age_us)
		a->age_us = b->age_us;
	a->last.end = b->last.end;
}

void regions_join(struct regions *regions)
{
	size_t nr = 0;

	for (size_t i = 0; i < regions->items.nr; i++) {
		if (nr > 0 && is_alike(&regions->items.items[nr - 1], &regions->items.items[i]))
			absorb(&regions->items.items[nr - 1], &regions->items.items[i]);
		else
			regions->items.items[nr++] = regions->items.items[i];
	}
	regions->items.nr = nr;
}
