/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See reported.h.
 */
#include "config.h"

#include "admin/reported.h"

#include <string.h>

struct m365_meaning
reported_meaning(const struct store_report *r, bool *is_foreign_r)
{
	static const struct m365_meaning none = {.keyword = ""};
	struct m365_reply reply = m365_read(r->reply, r->status[0] == '\0' ? NULL : r->status);
	struct m365_meaning m;

	*is_foreign_r = false;
	if (!r->is_believed || (strcmp(r->action, "failed") != 0 && strcmp(r->action, "delayed") != 0))
		return none;
	m = m365_explain(&reply, r->reply);
	/* Another server's words on our standing are on Exchange Online's. */
	*is_foreign_r = r->remote[0] != '\0' && !m365_is_sender(r->remote, strlen(r->remote)) && m.class != M365_RECIPIENT &&
			m.class != M365_RETRY;
	return *is_foreign_r || strcmp(m.keyword, "no-reply") == 0 ? none : m;
}
