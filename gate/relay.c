/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See relay.h.
 */
#include "gate/relay.h"

#include <stdio.h>
#include <unistd.h>

#include "policy/policy.h"

void
relay_name(const struct policy *p, char *name_r, size_t size)
{
	char host[256] = "";

	if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
		snprintf(host, sizeof host, "localhost");
	snprintf(name_r, size, "%s", p->relay[0] != '\0' ? p->relay : host);
}
