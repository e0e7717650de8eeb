/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A file of names and passwords: lines "NAME:HASH" as crypt(5) has them, by yescrypt ($y$), scrypt ($7$),
 * bcrypt ($2b$, $2y$) or sha512crypt ($6$); "#" begins a comment. `mkpasswd -m yescrypt` makes a hash. Nobody but its
 * owner may write the file, and of others its group alone may read it.
 */
#ifndef POSTERN_ADMIN_PASSWORD_H
#define POSTERN_ADMIN_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

struct passwords;

/* NULL with a text in error_r (caller's buffer), which says where and what was expected. */
struct passwords *passwords_open(const char *file, char *error_r, size_t error_size);
void passwords_free(struct passwords **p);

enum password_answer {
	PASSWORD_RIGHT,
	PASSWORD_WRONG,
	PASSWORD_LATER            /* too many were wrong: nothing is looked at for some seconds */
};

/* Whether this is a name of the file with its password, in a time that does not tell which of them is wrong. The file is
 * read anew when it has changed; while it cannot be used nobody is let in. What was right in the last minutes
 * is known again quickly. Any thread. */
enum password_answer passwords_check(struct passwords *p, const char *name, const char *password);

#endif
