/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Addresses of one app written as prefixes, where they stand densely. Pure.
 */
#ifndef POSTERN_ADMIN_LEARN_PREFIX_H
#define POSTERN_ADMIN_LEARN_PREFIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/network.h"

struct learn_prefix {
	struct network net;     /* one address where its bits are all of them */
	size_t first, n;        /* which of the addresses are in it */
};

/* Orders addresses; for qsort. */
int learn_ip_compare(const void *a, const void *b);

/* Splits n sorted, unique addresses into prefixes. IPv4: a prefix of /24 or longer
 * of which at least three addresses and a quarter of all were seen. IPv6: a /64 of
 * which three were. None where is_taken() says that some address in it is another's.
 * `out` has room for n; how many were made. */
size_t learn_prefixes(const struct ip *ips, size_t n, bool (*is_taken)(void *context, const struct network *net),
		      void *context, struct learn_prefix *out);

#endif
