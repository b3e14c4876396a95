#include "lib/tracker_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/tracker_rig.h"

/* A way to cut the input into pieces. */
struct cut {
	size_t step_at; /* this step is split at `at`; SIZE_MAX: none */
	size_t at;
	size_t others; /* size of all other pieces */
};

static struct span bytes_of(const char *text, char **owned)
{
	if (text == NULL) {
		text = "";
	}
	size_t n = strlen(text);
	*owned = malloc(n + 1);
	assert_non_null(*owned);
	for (size_t i = 0; i < n; i++) {
		(*owned)[i] = text[i] == '\x1e' ? '\0' : text[i];
	}
	return span_of(*owned, n);
}

static void show(const char *what, struct span s)
{
	print_message("    %s: ", what);
	for (size_t i = 0; i < s.n && i < 2000; i++) {
		uint8_t c = s.p[i];
		if (c >= ' ' && c < 0x7f) {
			print_message("%c", c);
		} else {
			print_message("\\x%02x", c);
		}
	}
	print_message("\n");
}

static bool is_same(const char *what, struct span got, const char *wanted)
{
	char *owned;
	struct span want = bytes_of(wanted, &owned);
	bool same = span_equal(got, want);
	if (!same) {
		print_message("  %s differs\n", what);
		show("got   ", got);
		show("wanted", want);
	}
	free(owned);
	return same;
}

static bool is_same_number(const char *what, size_t got, size_t wanted)
{
	if (got != wanted) {
		print_message("  %s: got %zu, wanted %zu\n", what, got, wanted);
	}
	return got == wanted;
}

static bool is_as_told(const struct tracker_script *script, struct tracker_rig *rig)
{
	const char *dirt = tracker_dirt(rig->t);
	bool is_good = is_same("to_server", buf_peek(&rig->to_server), script->to_server);
	is_good &= is_same("to_client", buf_peek(&rig->to_client), script->to_client);
	is_good &= is_same("rest", buf_peek(&rig->rest), script->rest);
	is_good &= is_same("dirt", span_str(dirt != NULL ? dirt : ""), script->dirt);
	is_good &= is_same("enabled", tracker_enabled(rig->t), script->enabled);
	is_good &= is_same_number(
		"implicit", tracker_has_implicit_condstore(rig->t), script->is_implicit);
	is_good &= is_same("mailbox", tracker_mailbox(rig->t), script->mailbox);
	is_good &= is_same_number("selected", tracker_selected(rig->t), script->selected);
	is_good &= is_same_number("ended", rig->ended, script->ended);
	is_good &= is_same_number("failure", tracker_failure(rig->t), script->failure);
	is_good &= is_same_number("byes", rig->byes, script->byes);
	is_good &= is_same_number("open", !tracker_is_quiet(rig->t), script->is_open);
	return is_good;
}

/* What the owner of the tracker does. */
static bool take_owner_step(struct tracker_rig *rig, const char *step)
{
	bool is_good = true;
	switch (step[0]) {
	case 'W':
		is_good = is_same_number("wanting", rig->is_wanting, true);
		return is_same("wanted", tracker_enabled(rig->t), step + 2) && is_good;
	case 'A':
		is_good = is_same_number("wanting", rig->is_wanting, true);
		tracker_rig_attach(rig, span_str(step + 2), RIG_CAPABILITIES);
		return is_good;
	case 'R':
		tracker_rig_refuse(rig, step + 2);
		return true;
	case 'd':
		return is_same_number("can detach", tracker_can_detach(rig->t), false);
	default:
		assert_int_equal(step[0], 'D');
		is_good = is_same_number("can detach", tracker_can_detach(rig->t), true);
		if (is_good) {
			tracker_rig_detach(rig);
		}
		return is_good;
	}
}

static bool take_step(struct tracker_rig *rig, const char *step, size_t first, size_t size)
{
	if (step[0] == 'G' || step[0] == 'g') {
		return is_same_number("gone", tracker_rig_gone(rig), step[0] == 'G');
	}
	if (step[0] != 'C' && step[0] != 'S') {
		return take_owner_step(rig, step);
	}
	assert_int_equal(step[1], ':');
	char *owned;
	struct span in = bytes_of(step + 2, &owned);
	(step[0] == 'C' ? tracker_rig_client : tracker_rig_server)(rig, in, first, size);
	free(owned);
	return true;
}

static bool play(const struct tracker_script *script, struct cut cut)
{
	struct tracker_rig rig;
	(script->is_detached ? tracker_rig_init_detached : tracker_rig_init)(&rig,
		script->max_line > 0 ? script->max_line : 65536,
		script->capabilities != NULL ? script->capabilities : RIG_CAPABILITIES);
	bool is_good = true;
	for (size_t i = 0; i < SCRIPT_STEPS_MAX && script->steps[i] != NULL; i++) {
		bool is_cut = i == cut.step_at;
		is_good &= take_step(&rig, script->steps[i], is_cut ? cut.at : cut.others,
			is_cut ? SIZE_MAX : cut.others);
	}
	is_good &= is_as_told(script, &rig);
	if (!is_good) {
		print_message("in \"%s\" (step %zd split at %zu, other pieces of %zu)\n",
			script->name, (ssize_t)cut.step_at, cut.at, cut.others);
	}
	tracker_rig_finish(&rig);
	return is_good;
}

static bool play_all_ways(const struct tracker_script *script)
{
	const struct cut whole = {SIZE_MAX, 0, SIZE_MAX};
	if (!play(script, whole)) {
		return false;
	}
	for (size_t size = 1; size <= 3; size++) {
		if (!play(script, (struct cut){SIZE_MAX, 0, size})) {
			return false;
		}
	}
	for (size_t i = 0; i < SCRIPT_STEPS_MAX && script->steps[i] != NULL; i++) {
		if (script->steps[i][0] != 'C' && script->steps[i][0] != 'S') {
			continue;
		}
		for (size_t at = 1; at + 2 < strlen(script->steps[i]); at++) {
			if (!play(script, (struct cut){i, at, SIZE_MAX}) ||
				!play(script, (struct cut){i, at, 1})) {
				return false;
			}
		}
	}
	return true;
}

void tracker_script_check(const struct tracker_script *scripts, size_t count)
{
	size_t bad = 0;
	for (size_t i = 0; i < count; i++) {
		bad += !play_all_ways(&scripts[i]);
	}
	assert_int_equal(bad, 0);
}
