/*
 * Values of the configuration: addresses, durations, sizes, permission bits, near misses.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/address.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "config/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_address(const char *text)
{
	struct address a;
	const char *why = NULL;
	if (!address_parse(text, &a, &why)) {
		assert(why != NULL);
		return;
	}
	assert(strcmp(a.text, text) == 0);
	if (a.kind == ADDRESS_UNIX) {
		assert(a.path[0] == '/' && strlen(a.path) < 108 && a.host == NULL);
	} else {
		assert(a.host[0] != '\0' && a.port != 0 && a.path == NULL);
	}
	address_finish(&a);
}

/* What is printed means what was read. */
static void try_numbers(struct span text)
{
	char printed[VALUE_TEXT_MAX];
	uint64_t n, again;
	unsigned mode;
	if (value_duration(text, &n)) {
		value_print_duration(n, printed);
		assert(value_duration(span_str(printed), &again) && again == n);
	}
	if (value_size(text, &n)) {
		value_print_size(n, printed);
		assert(value_size(span_str(printed), &again) && again == n);
	}
	if (value_mode(text, &mode)) {
		assert(mode <= 0777);
	}
	if (value_choice(text, "none|starttls|implicit", &mode)) {
		assert(mode <= 2);
	}
}

static void try_names(const char *text)
{
	const char *meant = schema_near_miss("pool", text);
	assert(meant == NULL || schema_find_in("pool", meant) != NULL ||
		schema_find(meant) != NULL);
	assert(nearest_distance(text, text, 3) == 0 || strlen(text) > NEAREST_WORD_MAX);
	assert(nearest_distance(text, "workers", 9) == nearest_distance("workers", text, 9));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	assert(text != NULL);
	if (size > 0) {
		memcpy(text, data, size);
	}
	text[size] = '\0';
	try_address(text);
	try_names(text);
	try_numbers(span_of(text, strlen(text)));
	free(text);
	return 0;
}
