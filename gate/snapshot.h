/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The policy and its keys as one reference-counted bundle, swapped whole on
 * reload. A message ends under the snapshot it began with.
 */
#ifndef POSTERN_GATE_SNAPSHOT_H
#define POSTERN_GATE_SNAPSHOT_H

#include "gate/keys.h"
#include "policy/file/file.h"

struct snapshot {
	struct policy *policy;
	struct keys *keys;
	const struct key **key;  /* as many as policy->n_keys, in that order */
};

/* Loads the keys of a policy, usable or not, and takes over the caller's
 * reference to it. One reference. NULL when memory is short. */
struct snapshot *snapshot_new(struct policy *policy);

/* The same at a reload, with the wall time of now: a key whose file cannot be
 * used now stays as it is in `before` (NULL: nothing), if that has a usable one
 * of the same domain, selector and file. It is usable, and `kept`. */
struct snapshot *snapshot_after(struct policy *policy, const struct snapshot *before, int64_t now_ms);

/* Reads the policy file and all it names. NULL if it has errors or memory was
 * short. *problems_r gets everything there is to say, sorted, in the words that
 * `postern check` and posternd both use: of the files, of the keys, of the age
 * of accepted-domain files and of tenants. It is NULL only when memory was short, and is the
 * caller's to free. */
struct snapshot *snapshot_load(const char *file, const struct snapshot *before, int64_t now_ms,
			       struct problems **problems_r);

/* Adds a warning for each accepted-domain file that is too old at this time. */
void snapshot_add_aged(const struct snapshot *s, int64_t now_ms, struct problems *problems);

/* The whole days since an accepted-domain file was changed; negative when its
 * date lies ahead. */
int64_t snapshot_age_days(const struct accepted_source *a, int64_t now_ms);

struct snapshot *snapshot_ref(struct snapshot *s);
/* Frees with the last reference; sets *s to NULL. */
void snapshot_unref(struct snapshot **s);

/* Tells the store of the policy's rules, for what-ifs. `store` may be NULL. */
struct store;
void snapshot_note(const struct policy *p, struct store *store);

/* Where sessions find the present one. Any thread. */
struct snapshot_holder;

/* Takes over the reference. NULL when memory is short. */
struct snapshot_holder *snapshot_holder_new(struct snapshot *s);
void snapshot_holder_free(struct snapshot_holder **h);

/* A new reference to the present snapshot. */
struct snapshot *snapshot_current(struct snapshot_holder *h);

/* Puts another in its place, taking over the reference. */
void snapshot_swap(struct snapshot_holder *h, struct snapshot *s);

#endif
