/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The policy and its keys as one reference-counted bundle, swapped whole on
 * reload. A message ends under the snapshot it began with.
 */
#ifndef POSTERN_GATE_SNAPSHOT_H
#define POSTERN_GATE_SNAPSHOT_H

#include "gate/keys.h"
#include "policy/policy.h"

struct snapshot {
	struct policy *policy;
	struct keys *keys;
	const struct key **key;  /* as many as policy->n_keys, in that order */
};

/* Loads the keys of a policy, usable or not, and takes over the caller's
 * reference to it. One reference. NULL when memory is short. */
struct snapshot *snapshot_new(struct policy *policy);

struct snapshot *snapshot_ref(struct snapshot *s);
/* Frees with the last reference; sets *s to NULL. */
void snapshot_unref(struct snapshot **s);

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
