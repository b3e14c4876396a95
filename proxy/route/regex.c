/*
 * PCRE2 with everything that could run away tied down: steps, nesting, heap. A program is used by all
 * threads at once, so what a match changes (the match data) is made for each call.
 */
#include "route/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits; /* only read while matching: shared by all threads */
	size_t groups;
};

struct regex *regex_create(const char *pattern, char *why)
{
	int error;
	PCRE2_SIZE offset;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF, &error, &offset, NULL);
	if (code == NULL) {
		PCRE2_UCHAR text[REGEX_WHY_MAX / 2];
		pcre2_get_error_message(error, text, sizeof text);
		snprintf(
			why, REGEX_WHY_MAX, "%s (at byte %zu)", (const char *)text, (size_t)offset);
		return NULL;
	}
	/* Refused where memory may not become executable (systemd's MemoryDenyWriteExecute): the
	 * interpreter serves then. */
	(void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	struct regex *r = xcalloc(1, sizeof *r);
	r->code = code;
	r->limits = pcre2_match_context_create(NULL);
	if (r->limits == NULL) {
		abort();
	}
	pcre2_set_match_limit(r->limits, REGEX_MATCH_LIMIT);
	pcre2_set_depth_limit(r->limits, REGEX_DEPTH_LIMIT);
	pcre2_set_heap_limit(r->limits, REGEX_HEAP_LIMIT);
	uint32_t captures = 0; /* all of them; $n reaches the first nine */
	pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &captures);
	r->groups = captures + 1 < REGEX_GROUPS ? captures + 1 : REGEX_GROUPS;
	return r;
}

void regex_destroy(struct regex **r)
{
	struct regex *gone = *r;
	*r = NULL;
	if (gone == NULL) {
		return;
	}
	pcre2_match_context_free(gone->limits);
	pcre2_code_free(gone->code);
	free(gone);
}

size_t regex_groups(const struct regex *r)
{
	assert(r->groups >= 1 && r->groups <= REGEX_GROUPS);
	return r->groups;
}

static void take_groups(
	const struct regex *r, pcre2_match_data *data, struct span name, struct span *groups)
{
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
	for (size_t i = 0; i < REGEX_GROUPS; i++) {
		groups[i] = span_of(NULL, 0);
		/* \K in a subroutine that a lookahead calls: a match that ends before it starts. */
		if (i < r->groups && ends[2 * i] != PCRE2_UNSET && ends[2 * i] <= ends[2 * i + 1]) {
			assert(ends[2 * i + 1] <= name.n);
			groups[i] = span_slice(name, ends[2 * i], ends[2 * i + 1]);
		}
	}
}

enum regex_verdict regex_match(const struct regex *r, struct span name, struct span *groups)
{
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(r->code, NULL);
	if (data == NULL) {
		abort();
	}
	assert(name.n > 0);
	int rc = pcre2_match(r->code, name.p, name.n, 0, 0, data, r->limits);
	enum regex_verdict verdict = REGEX_YES;
	if (rc == PCRE2_ERROR_NOMATCH) {
		verdict = REGEX_NO;
	} else if (rc < 0) {
		/* A limit, or no stack left for the compiled code: nothing is known about the name. */
		verdict = REGEX_LIMIT;
	} else {
		take_groups(r, data, name, groups);
	}
	pcre2_match_data_free(data);
	return verdict;
}

size_t regex_memory(const struct regex *r)
{
	size_t code = 0;
	size_t jit = 0;
	pcre2_pattern_info(r->code, PCRE2_INFO_SIZE, &code);
	pcre2_pattern_info(r->code, PCRE2_INFO_JITSIZE, &jit);
	return sizeof *r + code + jit;
}
