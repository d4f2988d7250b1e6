// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysv [TURNS]: three processes that are kept in step by System V IPC: shared
 * memory that is attached twice by the first one and only for reading by another; a
 * segment that is removed but still attached, one of which a page is unmapped, one that
 * nobody has attached; semaphores with values, with SEM_UNDO, and with somebody who
 * waits for them half of the time; a queue with messages that wait all the time.
 */
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "victim.h"

#define PAGE 4096
#define TEXT 64
/* types of messages */
#define ASK 100
#define ANSWER 200
#define KEPT 7
#define EMPTY 9

enum { GO, DONE, TAKEN, GIVEN, STILL, NR_SEMS };

static struct {
	int board, removed, holed, lonely, sems, queue;
} id;

struct board {
	unsigned int turn, count;
	int bad;
	char page[3 * PAGE];
};

static volatile struct board *board, *twin;
static char *removed, *holed;

static int got(int n, const char *what)
{
	if (n < 0)
		die(what);
	return n;
}

static void *attach(int n, int flags)
{
	void *at = shmat(n, NULL, flags);

	if (at == (void *)-1)
		die("shmat");
	return at;
}

/* Who was killed may have left one. */
static void forget(key_t key)
{
	int n;

	if ((n = shmget(key, 0, 0)) >= 0)
		shmctl(n, IPC_RMID, NULL);
	if ((n = semget(key, 0, 0)) >= 0)
		semctl(n, 0, IPC_RMID);
	if ((n = msgget(key, 0)) >= 0)
		msgctl(n, IPC_RMID, NULL);
}

static void add(int n, int by, int flags)
{
	struct sembuf op = { (unsigned short)n, (short)by, (short)flags };

	while (semop(id.sems, &op, 1))
		if (errno != EINTR)
			die("semop");
}

static int value(int n)
{
	return got(semctl(id.sems, n, GETVAL), "semctl");
}

struct message {
	long type;
	char text[TEXT];
};

static void put(long type, const char *text, size_t size)
{
	struct message m = { .type = type };

	memcpy(m.text, text, size);
	if (msgsnd(id.queue, &m, size, 0))
		die("msgsnd");
}

static int take(long type, struct message *m, int flags)
{
	memset(m, 0, sizeof(*m));
	return (int)msgrcv(id.queue, m, TEXT, type, flags);
}

static void make(key_t key)
{
	unsigned short values[NR_SEMS] = { 0, 0, 10, 20, 32767 };
	char *lonely;

	forget(key);
	id.board = got(shmget(key, sizeof(*board), IPC_CREAT | IPC_EXCL | 0640), "shmget");
	id.removed = got(shmget(IPC_PRIVATE, PAGE, 0600), "shmget");
	id.holed = got(shmget(IPC_PRIVATE, 3 * PAGE, 0600), "shmget");
	id.lonely = got(shmget(IPC_PRIVATE, 5000, 0600), "shmget");
	id.sems = got(semget(key, NR_SEMS, IPC_CREAT | IPC_EXCL | 0604), "semget");
	id.queue = got(msgget(key, IPC_CREAT | IPC_EXCL | 0666), "msgget");
	board = attach(id.board, 0);
	twin = attach(id.board, 0);
	removed = attach(id.removed, 0);
	holed = attach(id.holed, 0);
	lonely = attach(id.lonely, 0);
	for (int i = 0; i < 3; i++)
		memset(holed + i * PAGE, 'a' + i, PAGE);
	memset(lonely, 'l', 5000);
	shmctl(id.removed, IPC_RMID, NULL);
	munmap(holed + PAGE, PAGE);
	mprotect(holed + 2 * PAGE, PAGE, PROT_READ);
	shmdt(lonely);
	if (semctl(id.sems, 0, SETALL, values))
		die("semctl");
	put(KEPT, "first", 5);
	put(EMPTY, "", 0);
	put(KEPT, "second", 6);
}

/* Takes a turn when it is given one, and ends with what it has taken not given back. */
static _Noreturn void taker(unsigned int turns)
{
	add(TAKEN, -4, SEM_UNDO);
	add(GIVEN, 3, SEM_UNDO);
	add(DONE, 1, 0);
	for (unsigned int i = 0; i < turns; i++) {
		add(GO, -1, 0);
		work(i, STEP / 2);
		board->bad |= board->turn != i;
		board->count++;
		removed[i] = (char)i;
		add(DONE, 1, 0);
	}
	add(GO, -1, 0); /* until the last turn has been looked at */
	_exit(0);
}

/* Sees what others write, and must not write. */
static _Noreturn void reader(unsigned int turns)
{
	volatile struct board *seen;
	struct message m;
	int bad = 0;

	shmdt((void *)board);
	shmdt((void *)twin);
	seen = attach(id.board, SHM_RDONLY);
	for (unsigned int i = 0; i < turns; i++) {
		if (take(ASK, &m, 0) != (int)sizeof(i) || memcmp(m.text, &i, sizeof(i)))
			bad = 1;
		bad |= seen->turn != i || removed[i] != (char)i || seen->page[i * 40] != (char)i;
		put(ANSWER, (const char *)&bad, sizeof(bad));
	}
	_exit(bad);
}

static int turn(unsigned int i)
{
	struct message m;
	int bad;

	board->turn = i;
	twin->page[i * 40] = (char)i;
	work(i, STEP / 2);
	add(GO, 1, 0);
	add(DONE, -1, 0);
	bad = twin->turn != i || twin->count != i + 1 || removed[i] != (char)i;
	put(ASK, (const char *)&i, sizeof(i));
	bad |= take(ANSWER, &m, 0) != (int)sizeof(bad) || m.text[0];
	bad |= value(TAKEN) != 6 || value(GIVEN) != 23 || value(STILL) != 32767;
	return bad;
}

static int is_all(const char *at, char c, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != c)
			return 0;
	return 1;
}

static void check_memory(key_t key)
{
	struct shmid_ds ds;
	char *at;

	check(shmget(key, 0, 0) == id.board && !shmctl(id.board, IPC_STAT, &ds) &&
		      ds.shm_segsz == sizeof(*board) && (ds.shm_perm.mode & 0777) == 0640 &&
		      ds.shm_nattch == 2,
	      "the segment is found by its key");
	check(!shmdt((void *)twin), "it is detached");
	twin = attach(id.board, SHM_RDONLY);
	check(twin->turn == board->turn && twin->count == board->count, "and attached again");
	check(!shmctl(id.removed, IPC_STAT, &ds) && ds.shm_perm.mode & SHM_DEST &&
		      ds.shm_nattch == 1,
	      "the removed one is there");
	check(!shmdt(removed) && shmctl(id.removed, IPC_STAT, &ds) < 0, "until it is detached");
	check(is_all(holed, 'a', PAGE) && is_all(holed + 2 * PAGE, 'c', PAGE) &&
		      msync(holed + PAGE, PAGE, MS_ASYNC) < 0,
	      "a page of one is not mapped");
	at = attach(id.holed, 0);
	check(is_all(at + PAGE, 'b', PAGE) && !shmdt(at) && !shmdt(holed), "but in the segment");
	at = attach(id.lonely, 0);
	check(is_all(at, 'l', 5000), "and so is what was not attached");
}

static void check_queue(key_t key)
{
	struct msqid_ds ds;
	struct message m;

	check(msgget(key, 0) == id.queue && !msgctl(id.queue, IPC_STAT, &ds) && ds.msg_qnum == 3,
	      "the queue is found by its key");
	check(take(EMPTY, &m, IPC_NOWAIT) == 0 && take(0, &m, IPC_NOWAIT) == 5 && m.type == KEPT &&
		      !strcmp(m.text, "first") && take(0, &m, 0) == 6 && !strcmp(m.text, "second"),
	      "its messages are in order");
}

int main(int argc, char **argv)
{
	unsigned int turns = number(argv, argc, 1, 40), good = 0;
	pid_t pids[2];
	int status;
	key_t key;

	key = ftok(argv[0], 'x');
	if (key == -1)
		die("ftok");
	make(key);
	for (int i = 0; i < 2; i++) {
		pids[i] = got(fork(), "fork");
		if (!pids[i])
			i ? reader(turns) : taker(turns);
	}
	add(DONE, -1, 0);
	for (unsigned int i = 0; i < turns; i++) {
		int bad = turn(i);

		say("turn %u: %s", i, bad ? "NO" : "yes");
		failures += bad;
	}
	add(GO, 1, 0);
	for (int i = 0; i < 2; i++)
		good += waitpid(pids[i], &status, 0) == pids[i] && !status;
	check(good == 2 && !board->bad, "the others saw what was written");
	check(semget(key, 0, 0) == id.sems, "the semaphores are found by their key");
	check(value(TAKEN) == 10 && value(GIVEN) == 20, "what was taken was given back");
	check_memory(key);
	check_queue(key);
	forget(key);
	shmctl(id.holed, IPC_RMID, NULL);
	shmctl(id.lonely, IPC_RMID, NULL);
	return failures != 0;
}
