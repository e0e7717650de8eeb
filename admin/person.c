/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See person.h.
 */
#include "config.h"

#include "admin/person.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/printable.h"

const char *
person_name(char buf[PERSON_SIZE])
{
	const struct passwd *p = getpwuid(getuid());
	const char *name = getuid() == 0 ? getenv("SUDO_USER") : NULL, *how = name == NULL ? "" : "sudo, ";
	struct text t = {0};

	if (name == NULL)
		name = getlogin();
	if (name == NULL)
		name = p == NULL ? "?" : p->pw_name;
	printable_add(&t, name, strlen(name), 64);
	snprintf(buf, PERSON_SIZE, "%.80s (%suid %ld)", text_string(&t), how, (long)getuid());
	text_free(&t);
	return buf;
}
