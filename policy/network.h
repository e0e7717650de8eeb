/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Client addresses and prefixes, IPv4 and IPv6. An IPv4-mapped IPv6 address is
 * the IPv4 address. Pure.
 */
#ifndef POSTERN_POLICY_NETWORK_H
#define POSTERN_POLICY_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

enum { NETWORK_NONE = 0, NETWORK_IPV4 = 4, NETWORK_IPV6 = 6 };

struct ip {
	int family;             /* NETWORK_NONE: not known */
	uint8_t octets[16];     /* the first 4 for IPv4 */
};

struct network {
	struct ip base;
	unsigned bits;
};

#define IP_TEXT_SIZE 46

/* "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", also as MTAs write it with
 * "IPv6:" before it. 0, or -1 when it is none. */
int ip_parse(const char *s, struct ip *r);

/* From network-order octets: family NETWORK_IPV4 or _IPV6. */
void ip_from_octets(int family, const void *octets, struct ip *r);

/* The canonical text (RFC 5952); "" for NETWORK_NONE. */
void ip_format(const struct ip *ip, char buf[IP_TEXT_SIZE]);

/* An address or a prefix, "10.1.9.0/24". Octets beyond the prefix must be 0.
 * 0, or -1 with a static text. */
int network_parse(const char *s, struct network *r, const char **error_r);

bool network_contains(const struct network *n, const struct ip *ip);

/* Whether every address of `inner` is in `outer`. */
bool network_covers(const struct network *outer, const struct network *inner);

#endif
