/*
 * Text in SASL messages.
 */
#include "imap/sasl.h"

/* The first byte says how many follow, and how large the value must at least be (RFC 3629 section 3). */
static const struct form {
	uint8_t mask, lead;
	unsigned tail;
	uint32_t least;
} forms[] = {
	{0x80, 0x00, 0, 0x1},
	{0xe0, 0xc0, 1, 0x80},
	{0xf0, 0xe0, 2, 0x800},
	{0xf8, 0xf0, 3, 0x10000},
};

static const struct form *form_of(uint8_t lead)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((lead & forms[i].mask) == forms[i].lead) {
			return &forms[i];
		}
	}
	return NULL;
}

static bool take_character(struct span *rest)
{
	const struct form *form = form_of(rest->p[0]);
	struct span bytes;
	if (form == NULL || !span_take_bytes(rest, form->tail + 1, &bytes)) {
		return false;
	}
	uint32_t value = bytes.p[0] & (uint8_t)~form->mask;
	for (size_t i = 1; i < bytes.n; i++) {
		if ((bytes.p[i] & 0xc0) != 0x80) {
			return false;
		}
		value = value << 6 | (bytes.p[i] & 0x3f);
	}
	bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
	return value >= form->least && value <= 0x10ffff && !is_surrogate;
}

bool sasl_is_text(struct span s)
{
	while (s.n > 0) {
		if (!take_character(&s)) {
			return false;
		}
	}
	return true;
}
