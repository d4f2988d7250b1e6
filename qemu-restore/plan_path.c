// SPDX-License-Identifier: GPL-2.0-or-later
/* --map OLD=NEW: where the files of the image are on this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

/* What follows @folder in @path: "" or "/...", NULL when it is not in there. */
static const char *rest_of(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	while (len && folder[len - 1] == '/')
		len--;
	return !strncmp(path, folder, len) && (!path[len] || path[len] == '/') ? path + len : NULL;
}

/* The longest OLD decides. The new string is the plan's, to be freed with it. */
const char *plan_path(struct plan *plan, const char *path)
{
	const struct path_map *best = NULL;
	size_t i, len;
	char *mapped;

	for (i = 0; i < plan->host->nr_maps; i++) {
		const struct path_map *map = &plan->host->maps[i];

		if (rest_of(path, map->from) && (!best || strlen(map->from) > strlen(best->from)))
			best = map;
	}
	if (!best)
		return path;
	len = strlen(best->to);
	while (len && best->to[len - 1] == '/')
		len--;
	if (asprintf(&mapped, "%.*s%s", (int)len, best->to, rest_of(path, best->from)) < 0)
		plan_must(NULL);
	if (!*mapped) { /* the root itself */
		free(mapped);
		mapped = plan_must(strdup("/"));
	}
	plan->paths = plan_must(realloc(plan->paths, (plan->nr_paths + 1) * sizeof(*plan->paths)));
	plan->paths[plan->nr_paths++] = mapped;
	return mapped;
}
