// SPDX-License-Identifier: GPL-2.0-or-later
/* Can it work here? What is found now need not be guessed from an odd report later. */
#include "report.h"
#include "stat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_NS_FIRST 0xeffffffc /* the inode number of the first pid namespace */

static const char *const tracefs[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
#define NR_TRACEFS (sizeof(tracefs) / sizeof(tracefs[0]))

/* A field as this program was built with. */
struct field {
	const char *name;
	size_t offset, size;
};

/* "field:char comm[16];	offset:72;	size:16;	signed:0;" */
static bool is_field(const char *line, const struct field *field)
{
	const char *end = strchr(line, ';'), *start = end;
	size_t offset, size, len = strlen(field->name);

	if (!end || !strstr(line, "field:"))
		return false;
	if (end > line && end[-1] == ']')
		while (end > line && *end != '[')
			end--;
	for (start = end; start > line && start[-1] != ' ' && start[-1] != '*'; start--)
		;
	return (size_t)(end - start) == len && strncmp(start, field->name, len) == 0 &&
	       sscanf(strchr(end, ';'), "; offset:%zu; size:%zu", &offset, &size) == 2 &&
	       offset == field->offset && size == field->size;
}

static bool has_field(FILE *format, const struct field *field)
{
	char line[512];

	rewind(format);
	while (fgets(line, sizeof(line), format))
		if (is_field(line, field))
			return true;
	return false;
}

static int check_event(const char *dir, const char *event, const struct field *fields, size_t nr)
{
	char path[512];
	FILE *format;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/%s/format", dir, event);
	format = fopen(path, "re");
	if (!format)
		return fail("cannot use the module's event %s: %s: %s (use xckpt.ko and xckpt-stat "
			    "of one release)",
			    event, path, strerror(errno));
	for (size_t i = 0; i < nr && !ret; i++)
		if (!has_field(format, &fields[i]))
			ret = fail("cannot use the module's event %s: its field %s is not as this "
				   "program was built with (use xckpt.ko and xckpt-stat of one "
				   "release)",
				   event, fields[i].name);
	fclose(format);
	return ret;
}

#define CHECK_FIELD(type, name, dim)                                                               \
	{ #name, offsetof(context, event.name), sizeof(((context *)0)->event.name) },
#define CHECK_EVENT(name)                                                                          \
	static int check_##name(const char *dir)                                                   \
	{                                                                                          \
		typedef struct ctx_##name context;                                                 \
		static const struct field fields[] = { FIELDS_##name(CHECK_FIELD) };               \
                                                                                                   \
		return check_event(dir, #name, fields, sizeof(fields) / sizeof(fields[0]));        \
	}
ALL_EVENTS(CHECK_EVENT)

int check_events(const char *dir)
{
#define CALL_CHECK(name) check_##name(dir) ||
	return ALL_EVENTS(CALL_CHECK) 0 ? -1 : 0;
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int check_tracefs(void)
{
	char path[64];

	for (size_t i = 0; i < NR_TRACEFS; i++) {
		snprintf(path, sizeof(path), "%s/events", tracefs[i]);
		if (!is_folder(path))
			continue;
		snprintf(path, sizeof(path), "%s/events/xckpt", tracefs[i]);
		if (!is_folder(path))
			return fail("cannot look at checkpoints: the module is not loaded (insmod "
				    "xckpt.ko)");
		return check_events(path);
	}
	return fail("cannot look at checkpoints: no trace events in %s (mount -t tracefs tracefs "
		    "%s; the kernel needs CONFIG_FTRACE)",
		    tracefs[0], tracefs[0]);
}

/* The module and the probes speak of processes as the first namespace does. */
static int check_namespace(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st))
		return fail("cannot look at checkpoints: /proc/self/ns/pid: %s (mount /proc)",
			    strerror(errno));
	if (st.st_ino != PID_NS_FIRST)
		return fail("cannot look at checkpoints from within a pid namespace (run it on the "
			    "host)");
	return 0;
}

int check_system(const struct options *opt)
{
	if (geteuid() != 0)
		return fail("cannot attach probes: Operation not permitted (run it as root)");
	if (check_namespace())
		return -1;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return fail("cannot attach probes: the kernel tells no types in "
			    "/sys/kernel/btf/vmlinux (it needs CONFIG_DEBUG_INFO_BTF)");
	if (opt->pid && kill(opt->pid, 0))
		return fail("cannot look at pid %d: %s", opt->pid, strerror(errno));
	return check_tracefs();
}

bool module_has_types(void)
{
	return access("/sys/kernel/btf/xckpt", R_OK) == 0;
}
