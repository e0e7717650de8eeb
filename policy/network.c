/* SPDX-FileCopyrightText: 2026 The Postern authors
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The reading and writing is the C library's; IPv4-mapped addresses become
 * IPv4 on the way in, so that one client has one address.
 */
#include "policy/network.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static unsigned
family_bits(int family)
{
	return family == NETWORK_IPV4 ? 32 : 128;
}

void
ip_from_octets(int family, const void *octets, struct ip *r)
{
	memset(r, 0, sizeof *r);
	r->family = family;
	if (family == NETWORK_IPV4) {
		memcpy(r->octets, octets, 4);
	} else if (family == NETWORK_IPV6) {
		memcpy(r->octets, octets, 16);
		if (memcmp(r->octets, mapped, sizeof mapped) == 0) {
			r->family = NETWORK_IPV4;
			memmove(r->octets, r->octets + 12, 4);
			memset(r->octets + 4, 0, 12);
		}
	}
}

/* Reads s; *family_r is the family it was written in. */
static int
parse_as_written(const char *s, struct ip *r, int *family_r)
{
	uint8_t octets[16];
	bool has_tag = text_has_prefix(s, "IPv6:");

	memset(r, 0, sizeof *r);
	if (has_tag)
		s += 5;
	if (!has_tag && inet_pton(AF_INET, s, octets) == 1)
		*family_r = NETWORK_IPV4;
	else if (inet_pton(AF_INET6, s, octets) == 1)
		*family_r = NETWORK_IPV6;
	else
		return -1;
	ip_from_octets(*family_r, octets, r);
	return 0;
}

int
ip_parse(const char *s, struct ip *r)
{
	int family;

	return parse_as_written(s, r, &family);
}

void
ip_format(const struct ip *ip, char buf[IP_TEXT_SIZE])
{
	int family = ip->family == NETWORK_IPV4 ? AF_INET : AF_INET6;

	buf[0] = '\0';
	if (ip->family != NETWORK_NONE && inet_ntop(family, ip->octets, buf, IP_TEXT_SIZE) == NULL)
		buf[0] = '\0';
}

/* Whether the first `bits` bits are the same. */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool
is_zero_beyond(const struct ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < family_bits(ip->family); i++)
		if ((ip->octets[i / 8] & (0x80u >> (i % 8))) != 0)
			return false;
	return true;
}

/* "0" to "128" without needless zeros. */
static int
parse_bits(const char *s, unsigned *r)
{
	uint64_t n;

	if (!text_is_digit(s[0]) || (s[0] == '0' && s[1] != '\0') || strlen(s) > 3 ||
	    text_to_u64(s, &n) != 0 || n > 128)
		return -1;
	*r = (unsigned)n;
	return 0;
}

static int
fail(const char **error_r, const char *error)
{
	*error_r = error;
	return -1;
}

int
network_parse(const char *s, struct network *r, const char **error_r)
{
	char address[64];
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	int written;

	memset(r, 0, sizeof *r);
	if (len >= sizeof address)
		return fail(error_r, "not an IP address");
	memcpy(address, s, len);
	address[len] = '\0';
	if (parse_as_written(address, &r->base, &written) != 0)
		return fail(error_r, "not an IP address");
	r->bits = family_bits(written);
	if (slash != NULL && (parse_bits(slash + 1, &r->bits) != 0 || r->bits > family_bits(written)))
		return fail(error_r, "not a prefix length: 0 to 32 for IPv4, 0 to 128 for IPv6");
	if (written != r->base.family) {
		if (r->bits < 96)
			return fail(error_r, "octets beyond the prefix are not 0");
		r->bits -= 96;
	}
	if (!is_zero_beyond(&r->base, r->bits))
		return fail(error_r, "octets beyond the prefix are not 0");
	return 0;
}

bool
network_contains(const struct network *n, const struct ip *ip)
{
	return ip->family != NETWORK_NONE && n->base.family == ip->family &&
	       same_bits(n->base.octets, ip->octets, n->bits);
}

bool
network_covers(const struct network *outer, const struct network *inner)
{
	return outer->bits <= inner->bits && network_contains(outer, &inner->base);
}
