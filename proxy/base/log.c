#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int log_level_now = LOG_INFO;
static _Atomic int log_format_now = LOG_LOGFMT;

static const char *const level_names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

/* What must always fit behind the values: "...", a quote, a brace and the line end. */
enum { LOG_TAIL = 8 };

void log_setup(enum log_level level, enum log_format format)
{
	atomic_store(&log_level_now, (int)level);
	atomic_store(&log_format_now, (int)format);
}

bool log_wants(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level_now, memory_order_relaxed);
}

static bool is_json(void)
{
	return atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_JSON;
}

static bool put(struct log_line *line, const char *text, size_t n)
{
	if (n > LOG_LINE_MAX - LOG_TAIL - line->len) {
		return false;
	}
	memcpy(line->text + line->len, text, n);
	line->len += n;
	return true;
}

/* One byte as it may stand inside quotes: nothing that a terminal or a parser would act upon. */
static bool put_escaped(struct log_line *line, uint8_t c)
{
	char text[8];
	if (c == '"' || c == '\\') {
		return put(line, (char[]){'\\', (char)c}, 2);
	}
	if (c >= 0x20 && c < 0x7f) {
		return put(line, (char[]){(char)c}, 1);
	}
	/* JSON has no \x; \u00XX is read by both kinds of reader. */
	int n = snprintf(text, sizeof text, "\\u%04x", c);
	return put(line, text, (size_t)n);
}

static bool needs_quotes(struct span value)
{
	if (value.n == 0) {
		return true;
	}
	for (size_t i = 0; i < value.n; i++) {
		uint8_t c = value.p[i];
		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') {
			return true;
		}
	}
	return false;
}

static void put_key(struct log_line *line, const char *key)
{
	bool first = line->len == 0;
	if (is_json()) {
		put(line, first ? "{\"" : ",\"", 2);
		put(line, key, strlen(key));
		put(line, "\":", 2);
		return;
	}
	if (!first) {
		put(line, " ", 1);
	}
	put(line, key, strlen(key));
	put(line, "=", 1);
}

static void put_value(struct log_line *line, struct span value)
{
	bool quoted = is_json() || needs_quotes(value);
	if (quoted && !put(line, "\"", 1)) {
		return;
	}
	for (size_t i = 0; i < value.n; i++) {
		if (!put_escaped(line, value.p[i])) {
			/* LOG_TAIL keeps room for this. */
			memcpy(line->text + line->len, "...", 3);
			line->len += 3;
			break;
		}
	}
	if (quoted) {
		line->text[line->len++] = '"';
	}
}

/* A pair that has no room for its key and a bit of its value is left out whole. */
static bool has_room(const struct log_line *line, const char *key)
{
	return line->is_wanted && line->len + strlen(key) + 32 < LOG_LINE_MAX - LOG_TAIL;
}

void log_span(struct log_line *line, const char *key, struct span value)
{
	if (has_room(line, key)) {
		put_key(line, key);
		put_value(line, value);
	}
}

void log_str(struct log_line *line, const char *key, const char *value)
{
	log_span(line, key, span_str(value));
}

void log_number(struct log_line *line, const char *key, int64_t value)
{
	if (has_room(line, key)) {
		char digits[24];
		int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
		put_key(line, key);
		put(line, digits, (size_t)n);
	}
}

void log_begin(struct log_line *line, enum log_level level, const char *msg)
{
	line->len = 0;
	line->is_wanted = log_wants(level);
	if (!line->is_wanted) {
		return;
	}
	struct timespec now;
	struct tm parts;
	char seconds[32];
	char stamp[48];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(stamp, sizeof stamp, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
	log_str(line, "time", stamp);
	log_str(line, "level", level_names[level]);
	log_str(line, "msg", msg);
}

void log_end(struct log_line *line)
{
	if (!line->is_wanted) {
		return;
	}
	line->is_wanted = false;
	if (is_json()) {
		line->text[line->len++] = '}';
	}
	line->text[line->len++] = '\n';
	assert(line->len <= LOG_LINE_MAX);
	size_t done = 0;
	while (done < line->len) {
		ssize_t n = write(STDERR_FILENO, line->text + done, line->len - done);
		if (n < 0 && errno != EINTR) {
			return; /* nowhere to complain */
		}
		done += n > 0 ? (size_t)n : 0;
	}
}

void log_say(enum log_level level, const char *msg, const char *format, ...)
{
	if (!log_wants(level)) {
		return;
	}
	char detail
		[LOG_LINE_MAX]; /* what it cannot hold, the line cannot either: it ends in "..." */
	va_list args;
	va_start(args, format);
	vsnprintf(detail, sizeof detail, format, args);
	va_end(args);
	struct log_line line;
	log_begin(&line, level, msg);
	log_str(&line, "detail", detail);
	log_end(&line);
}
