// SPDX-License-Identifier: GPL-2.0-only
/* Ids, groups and capabilities: every thread has its own, and most have what their process has. */
#include <linux/cred.h>
#include <linux/user_namespace.h>

#include "capture.h"

/* @to: struct xckpt_note_process or struct xckpt_note_creds */
#define FILL(to, cred)                                                                             \
	do {                                                                                       \
		BUILD_BUG_ON(sizeof((cred)->cap_bset) != sizeof((to)->cap_bset));                  \
		(to)->uid = from_kuid_munged(&init_user_ns, (cred)->uid);                          \
		(to)->euid = from_kuid_munged(&init_user_ns, (cred)->euid);                        \
		(to)->suid = from_kuid_munged(&init_user_ns, (cred)->suid);                        \
		(to)->fsuid = from_kuid_munged(&init_user_ns, (cred)->fsuid);                      \
		(to)->gid = from_kgid_munged(&init_user_ns, (cred)->gid);                          \
		(to)->egid = from_kgid_munged(&init_user_ns, (cred)->egid);                        \
		(to)->sgid = from_kgid_munged(&init_user_ns, (cred)->sgid);                        \
		(to)->fsgid = from_kgid_munged(&init_user_ns, (cred)->fsgid);                      \
		memcpy(&(to)->cap_inheritable, &(cred)->cap_inheritable, sizeof(u64));             \
		memcpy(&(to)->cap_permitted, &(cred)->cap_permitted, sizeof(u64));                 \
		memcpy(&(to)->cap_effective, &(cred)->cap_effective, sizeof(u64));                 \
		memcpy(&(to)->cap_bset, &(cred)->cap_bset, sizeof(u64));                           \
		memcpy(&(to)->cap_ambient, &(cred)->cap_ambient, sizeof(u64));                     \
		(to)->securebits = (cred)->securebits;                                             \
	} while (0)

void capture_process_creds(struct xckpt_note_process *note, struct task_struct *leader)
{
	const struct cred *cred = get_task_cred(leader);

	FILL(note, cred);
	put_cred(cred);
	if (task_no_new_privs(leader))
		note->flags |= XCKPT_PROCESS_NO_NEW_PRIVS;
}

static u32 add_groups(struct notes *notes, const struct group_info *info)
{
	u32 *groups, i, offset;

	notes_add(notes, ALIGN(notes_offset(notes), 4) - notes_offset(notes));
	offset = capture_table(notes, info->ngroups, sizeof(*groups));
	if (notes->err)
		return 0;
	groups = notes_at(notes, offset);
	for (i = 0; i < info->ngroups; i++)
		groups[i] = from_kgid_munged(&init_user_ns, info->gid[i]);
	return offset;
}

u32 capture_groups(struct capture *capture, struct task_struct *task, u32 *nr)
{
	const struct cred *cred = get_task_cred(task);
	u32 offset = add_groups(&capture->notes, cred->group_info);

	*nr = cred->group_info->ngroups;
	put_cred(cred);
	return offset;
}

static void fill_own(struct xckpt_note_creds *note, struct task_struct *task,
		     const struct cred *cred)
{
	FILL(note, cred);
	note->size = sizeof(*note);
	note->flags = task_no_new_privs(task) ? XCKPT_PROCESS_NO_NEW_PRIVS : 0;
	note->nr_groups = cred->group_info->ngroups;
}

static bool same_groups(const struct group_info *a, const struct group_info *b)
{
	return a == b || (a->ngroups == b->ngroups &&
			  !memcmp(a->gid, b->gid, a->ngroups * sizeof(a->gid[0])));
}

static void add_own(struct notes *notes, struct xckpt_note_creds *own,
		    const struct group_info *info)
{
	struct xckpt_note_creds *note;
	u32 at, offset;

	notes_begin(notes, XCKPT_NOTE_NAME, XCKPT_NT_CREDS);
	at = notes_offset(notes);
	memcpy(notes_add(notes, sizeof(*own)), own, sizeof(*own));
	offset = add_groups(notes, info);
	note = notes_at(notes, at);
	note->groups_off = offset;
	notes_end(notes);
}

void capture_thread_creds(struct capture *capture, struct task_struct *task)
{
	struct xckpt_note_creds own = {}, common = {};
	const struct cred *cred, *leaders;

	if (task == capture->leader)
		return;
	cred = get_task_cred(task);
	leaders = get_task_cred(capture->leader);
	fill_own(&own, task, cred);
	fill_own(&common, capture->leader, leaders);
	if (memcmp(&own, &common, sizeof(own)) ||
	    !same_groups(cred->group_info, leaders->group_info))
		add_own(&capture->notes, &own, cred->group_info);
	put_cred(leaders);
	put_cred(cred);
}
