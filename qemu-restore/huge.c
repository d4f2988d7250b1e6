// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "huge.h"

#define FOLDER "/sys/kernel/mm/hugepages"

static uint64_t number_in(const char *name, const char *folder)
{
	unsigned long long n = 0;
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), FOLDER "/%.60s/%.60s", folder, name);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu", &n) != 1)
		n = 0;
	if (file)
		fclose(file);
	return n;
}

/* kB of those that vm.nr_hugepages is about */
static unsigned long long usual_size(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[128];

	while (file && !kb && fgets(line, sizeof(line), file))
		if (sscanf(line, "Hugepagesize: %llu", &kb) != 1)
			kb = 0;
	if (file)
		fclose(file);
	return kb;
}

static struct huge_pages look(const char *folder, unsigned long long kb)
{
	uint64_t free = number_in("free_hugepages", folder);
	uint64_t reserved = number_in("resv_hugepages", folder);
	uint64_t more = number_in("nr_overcommit_hugepages", folder);
	uint64_t surplus = number_in("surplus_hugepages", folder);

	return (struct huge_pages){ .shift = (unsigned int)__builtin_ctzll(kb) + 10,
				    .total = number_in("nr_hugepages", folder),
				    .free = (free > reserved ? free - reserved : 0) +
					    (more > surplus ? more - surplus : 0),
				    .usual = kb == usual_size() };
}

const struct huge_pages *huge_look(size_t *nr)
{
	struct huge_pages *all = NULL;
	DIR *dir = opendir(FOLDER);
	struct dirent *entry;
	unsigned long long kb;

	*nr = 0;
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "hugepages-%llukB", &kb) != 1 || !kb)
			continue;
		all = plan_must(realloc(all, (*nr + 1) * sizeof(*all)));
		all[(*nr)++] = look(entry->d_name, kb);
	}
	if (dir)
		closedir(dir);
	return all;
}
