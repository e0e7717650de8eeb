/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * See network.h.
 */
#include "policy/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void
ip_from_octets(int family, const void *octets, struct ip *r)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	const uint8_t *p = octets;

	*r = (struct ip){.family = family};
	if (family == NETWORK_IPV6 && memcmp(p, mapped, sizeof mapped) == 0) {
		r->family = NETWORK_IPV4;
		memcpy(r->octets, p + 12, 4);
	} else {
		memcpy(r->octets, p, family == NETWORK_IPV4 ? 4 : 16);
	}
}

int
ip_parse(const char *s, struct ip *r)
{
	uint8_t octets[16];

	*r = (struct ip){.family = NETWORK_NONE};
	if (text_has_prefix(s, "IPv6:"))
		s += 5;
	if (inet_pton(AF_INET, s, octets) == 1)
		ip_from_octets(NETWORK_IPV4, octets, r);
	else if (inet_pton(AF_INET6, s, octets) == 1)
		ip_from_octets(NETWORK_IPV6, octets, r);
	else
		return -1;
	return 0;
}

void
ip_format(const struct ip *ip, char buf[IP_TEXT_SIZE])
{
	buf[0] = '\0';
	if (ip->family != NETWORK_NONE)
		(void)inet_ntop(ip->family == NETWORK_IPV4 ? AF_INET : AF_INET6, ip->octets, buf, IP_TEXT_SIZE);
}

/* Whether the first `bits` of both are equal. */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) & (0xff << (8 - rest)) & 0xff) == 0;
}

int
network_parse(const char *s, struct network *r, const char **error_r)
{
	const char *slash = strchr(s, '/');
	char address[64];
	size_t n = slash == NULL ? strlen(s) : (size_t)(slash - s);
	uint64_t bits;

	if (n >= sizeof address) {
		*error_r = "expected an IPv4 or IPv6 address or prefix, such as 10.1.9.0/24";
		return -1;
	}
	memcpy(address, s, n);
	address[n] = '\0';
	if (ip_parse(address, &r->base) != 0) {
		*error_r = "expected an IPv4 or IPv6 address or prefix, such as 10.1.9.0/24";
		return -1;
	}
	bits = r->base.family == NETWORK_IPV4 ? 32 : 128;
	r->bits = (unsigned)bits;
	if (slash == NULL)
		return 0;
	if (text_to_u64(slash + 1, &bits) != 0 || bits > r->bits) {
		*error_r = r->bits == 32 ? "expected a prefix length of 0 to 32" : "expected a prefix length of 0 to 128";
		return -1;
	}
	for (unsigned i = (unsigned)bits; i < r->bits; i++) {
		if ((r->base.octets[i / 8] & (0x80 >> (i % 8))) != 0) {
			*error_r = "the address has bits set beyond its prefix; expected the network's first address";
			return -1;
		}
	}
	r->bits = (unsigned)bits;
	return 0;
}

bool
network_contains(const struct network *n, const struct ip *ip)
{
	return n->base.family == ip->family && same_bits(n->base.octets, ip->octets, n->bits);
}

bool
network_covers(const struct network *outer, const struct network *inner)
{
	return outer->bits <= inner->bits && network_contains(outer, &inner->base);
}
