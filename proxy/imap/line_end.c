#include "line_end_priv.h"

/* The next byte as it is read in quotes: Dovecot drops the backslash before any other byte, too. */
static bool take_byte(struct span *s, uint8_t *out)
{
	struct span byte;
	while (span_take(s, '\\')) {
		continue;
	}
	if (!span_take_bytes(s, 1, &byte)) {
		return false;
	}
	*out = byte.p[0];
	return true;
}

/* The six bits of a character in a name, or -1. */
static int bits_of(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
	const char *found = c != '\0' ? strchr(alphabet, c) : NULL;
	return found != NULL ? (int)(found - alphabet) : -1;
}

/* Behind "&": characters of 16 bits in base64. */
static bool is_in_name(struct span rest)
{
	uint32_t bits = 0;
	unsigned count = 0;
	uint8_t c;
	while (take_byte(&rest, &c) && bits_of(c) >= 0) {
		bits = bits << 6 | (uint32_t)bits_of(c);
		count += 6;
		if (count < 16) {
			continue;
		}
		count -= 16;
		if ((bits >> count & 0xffff) == '\n') {
			return true;
		}
	}
	return false;
}

/* Behind "%": two hexadecimal digits. */
static bool is_in_url(struct span rest)
{
	uint8_t high, low;
	return take_byte(&rest, &high) && high == '0' && take_byte(&rest, &low) &&
	       (low | 0x20) == 'a';
}

bool line_end_is_encoded(struct span line)
{
	if (span_find(line, '&') == line.n && span_find(line, '%') == line.n) {
		return false; /* most lines; long ones are sets of numbers */
	}
	for (;;) {
		span_take_until(&line, "&%");
		if (span_take(&line, '&')) {
			if (is_in_name(line)) {
				return true;
			}
		} else if (!span_take(&line, '%')) {
			return false;
		} else if (is_in_url(line)) {
			return true;
		}
	}
}

bool line_end_may_be_in(struct span octets)
{
	span_take_until(&octets, "\n&%");
	return octets.n > 0;
}
