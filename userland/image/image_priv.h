/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is behind struct image.priv. */
#ifndef XCKPT_IMAGE_PRIV_H
#define XCKPT_IMAGE_PRIV_H

#include "arena.h"
#include "image.h"
#include "manifest.h"

struct image_priv {
	struct arena arena;
	struct manifest manifest;
	const char *action; /* "cannot use /x/img" */
	const struct manifest_file **sums; /* of the manifest, by name */
};

static inline const struct manifest *image_manifest(const struct image *img)
{
	return &((const struct image_priv *)img->priv)->manifest;
}

/*
 * image_check.c: every file that the manifest names is there, once, with its size, and open
 * files are what they can be, which become @img's; processes are a tree. 0, or -1 after one
 * line on stderr.
 */
int image_check_files(struct image *img, struct image_priv *priv);
int image_check_tree(const struct image *img, struct image_priv *priv);
/* Of what image_check_files() has seen: the sums of file @name, or NULL. */
const struct manifest_file *image_find_sum(const struct image_priv *priv, const char *name);

/* Compare the ELF headers and notes of @p with the manifest. */
int image_check_head(const struct image *img, const struct image_process *p);

/* System V IPC of the manifest becomes @img's; after the processes. */
int image_check_sysv(struct image *img, const struct image_priv *priv);

/* Pseudo-terminals of open files fit together; after the processes. */
int image_check_terminals(const struct image *img, struct image_priv *priv);

/* Where the contents of memory are that another process's core has; after the processes. */
int image_find_contents(struct image *img, const struct image_priv *priv);

/* The segment that holds @addr, or NULL. */
const struct segment *image_find_segment(const struct image_process *p, uint64_t addr);

/* Files that are mapped by a name that they have lost: by the one that they have. */
void image_find_names(struct image *img);

#define NOT_YET "cannot be resumed by this version"
/* unsupported_files.c: why an open file cannot be resumed, or NULL */
const char *image_why_not_file(const struct image *img, const struct open_file *f);

/* Unlink what an image may hold in @dir_fd, not the directory itself. */
int image_remove_contents(int dir_fd);

#endif
