// SPDX-License-Identifier: GPL-2.0-or-later
/* How far a dump is: one line on a terminal that goes away at the end. */
#include "dump.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_NS 200000000L

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t end;
	bool running, shown, stop;
	uint64_t start_ns;
	const struct dump *d;
} progress = { .lock = PTHREAD_MUTEX_INITIALIZER, .end = PTHREAD_COND_INITIALIZER };

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

const char *human_bytes(uint64_t bytes, char *buf)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	unsigned int unit = 0;

	while (value >= 1024 && unit < 5) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, 32, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

const char *human_time(uint64_t ns, char *buf)
{
	if (ns < 1000000000u)
		snprintf(buf, 32, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(buf, 32, "%.2f s", (double)ns / 1e9);
	return buf;
}

static void show(void)
{
	uint64_t done = progress.d->bytes_read, total = progress.d->data_bytes;
	double seconds = (double)(now_ns() - progress.start_ns) / 1e9;
	double rate = seconds > 0 ? (double)done / seconds : 0;
	char a[32], b[32], c[32], line[160], eta[32] = "";
	int n;

	if (rate > 0 && total > done)
		snprintf(eta, sizeof(eta), ", %.0f s left", (double)(total - done) / rate);
	n = snprintf(line, sizeof(line), "\rxckpt-dump: %s of %s, %s/s%s\033[K",
		     human_bytes(done, a), human_bytes(total > done ? total : done, b),
		     human_bytes((uint64_t)rate, c), eta);
	if (write(STDERR_FILENO, line, (size_t)n) > 0)
		progress.shown = true;
}

static void *watch(void *ctx)
{
	struct timespec next;

	clock_gettime(CLOCK_REALTIME, &next);
	pthread_mutex_lock(&progress.lock);
	while (!progress.stop) {
		next.tv_nsec += INTERVAL_NS;
		if (next.tv_nsec >= 1000000000L) {
			next.tv_nsec -= 1000000000L;
			next.tv_sec++;
		}
		if (pthread_cond_timedwait(&progress.end, &progress.lock, &next) == ETIMEDOUT)
			show();
	}
	if (progress.shown && write(STDERR_FILENO, "\r\033[K", 4) < 0)
		progress.shown = false;
	pthread_mutex_unlock(&progress.lock);
	return NULL;
}

void progress_begin(struct dump *d)
{
	if (d->opt.quiet || !isatty(STDERR_FILENO))
		return;
	progress.d = d;
	progress.start_ns = now_ns();
	progress.running = pthread_create(&progress.thread, NULL, watch, NULL) == 0;
}

void progress_end(void)
{
	if (!progress.running)
		return;
	pthread_mutex_lock(&progress.lock);
	progress.stop = true;
	pthread_cond_signal(&progress.end);
	pthread_mutex_unlock(&progress.lock);
	pthread_join(progress.thread, NULL);
	progress.running = false;
}
