# imapmux: build, test, install. Everything that is made goes to build/.
#
#   make              build/imapmux, the release build
#   make GSSAPI=0     the same without Kerberos
#   make test         everything CI runs; installs what is missing
#   make unit         unit tests under ASan and UBSan; UNIT=imap/quote runs one
#   make e2e          end-to-end tests; BINARY=build/asan/imapmux, PYTEST="-k name -x"
#   make nightly      what takes longer: fuzzing, SESSIONS=10000 random sessions with and without sanitizers
#   make bench        imapmux beside its peers; QUICK=1, ONLY=noop,fetch, PEERS=imapmux,haproxy, BEFORE=BINARY
#   make demo         two Dovecot servers, imapmux before them and a guided tour; ONCE=1 ends after it
#
# A source file needs no line here: proxy/*/*.c is the program, tests/unit/*/*_test.c and
# tests/learn/*_test.c are test programs, tests/fuzz/*_fuzz.c fuzzers, tests/lib/*.c is linked to both.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

CLANG ?= clang
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
FUZZ_SECONDS ?= 10
# Kerberos (GSSAPI): 0 builds without it. Not noticed by what is built already: make clean.
GSSAPI ?= 1

BUILD_PACKAGES := gcc libc6-dev make pkg-config libuv1-dev libssl-dev libconfig-dev libpcre2-dev libjansson-dev uthash-dev \
	libcrypt-dev $(if $(filter 1,$(GSSAPI)),libkrb5-dev)
TEST_PACKAGES := $(BUILD_PACKAGES) libcmocka-dev clang libclang-rt-14-dev llvm clang-format clang-tidy \
	cppcheck universal-ctags shellcheck mandoc man-db util-linux openssl curl ca-certificates \
	python3 python3-pytest python3-pyflakes dovecot-imapd isync fail2ban haproxy \
	krb5-kdc krb5-admin-server python3-gssapi
# The peers of the bench; without them it measures what is there.
BENCH_PACKAGES := $(BUILD_PACKAGES) python3 openssl dovecot-imapd nginx-light libnginx-mod-mail haproxy hitch \
	perdition imapproxy

SRCS := $(wildcard proxy/*.c proxy/*/*.c)
LIB_SRCS := $(filter-out proxy/main.c,$(SRCS))
AID_SRCS := $(wildcard tests/lib/*.c)
TEST_SRCS := $(wildcard tests/unit/*/*_test.c tests/learn/*_test.c)
FUZZ_SRCS := $(wildcard tests/fuzz/*_fuzz.c)

# Asked only when a recipe first needs it: pkg-config itself may be among what is missing.
LIBRARIES := libuv openssl libconfig libpcre2-8 jansson $(if $(filter 1,$(GSSAPI)),krb5-gssapi)
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(LIBRARIES)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(LIBRARIES)) -lcrypt)$(PKG_LIBS)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wimplicit-fallthrough -Wformat=2 \
	-Wstrict-prototypes -Wundef -Wpointer-arith -Wvla
BASE_CFLAGS := -std=c11 -D_GNU_SOURCE -Iinclude -g -pthread $(WARNINGS) \
	$(if $(filter 1,$(GSSAPI)),-DIMAPMUX_GSSAPI)
SANITIZE := -fno-omit-frame-pointer -fno-sanitize-recover=all

all: build/imapmux

# One set of objects for each way to build: build/WAY/proxy/imap/quote.o and so on.
# WAY_CC, WAY_CFLAGS and WAY_LDFLAGS say how.
release_CC = $(CC)
release_CFLAGS := -O2 -flto=auto -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
release_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack
asan_CC = $(CC)
asan_CFLAGS := -O1 -fsanitize=address,undefined $(SANITIZE)
tsan_CC = $(CLANG)
tsan_CFLAGS := -O1 -fsanitize=thread $(SANITIZE)
fuzz_CC = $(CLANG)
fuzz_CFLAGS := -O1 -fsanitize=fuzzer-no-link,address,undefined $(SANITIZE) \
	-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
cov_CC = $(CLANG)
cov_CFLAGS := -O0 -fprofile-instr-generate -fcoverage-mapping

define way
build/$(1)/%.o: %.c Makefile | build/.deps-$(if $(filter release,$(1)),build,test)
	@mkdir -p $$(@D)
	@echo "  CC $(1) $$<"
	@$$($(1)_CC) $$(BASE_CFLAGS) $$(if $$(filter tests/%,$$<),-Itests) $$($(1)_CFLAGS) $$(PKG_CFLAGS) \
		$$(CFLAGS) -MMD -MP -c -o $$@ $$<
build/$(1)/libimapmux.a: $$(LIB_SRCS:%.c=build/$(1)/%.o)
	@rm -f $$@ && ar rcs $$@ $$^
build/$(1)/imapmux: build/$(1)/proxy/main.o build/$(1)/libimapmux.a
	@echo "  LD $$@"
	@$$($(1)_CC) $$($(1)_CFLAGS) $$($(1)_LDFLAGS) $$(LDFLAGS) -pthread -o $$@ $$^ $$(PKG_LIBS)
build/$(1)/%_test: build/$(1)/%_test.o $$(AID_SRCS:%.c=build/$(1)/%.o) build/$(1)/libimapmux.a
	@echo "  LD $$@"
	@$$($(1)_CC) $$($(1)_CFLAGS) $$(LDFLAGS) -pthread -o $$@ $$^ -lcmocka $$(PKG_LIBS)
-include $$(patsubst %.c,build/$(1)/%.d,$$(SRCS) $$(AID_SRCS) $$(TEST_SRCS) $$(FUZZ_SRCS))
endef
$(foreach w,release asan tsan fuzz cov,$(eval $(call way,$(w))))

build/fuzz/%_fuzz: build/fuzz/%_fuzz.o $(AID_SRCS:%.c=build/fuzz/%.o) build/fuzz/libimapmux.a
	@echo "  LD $@"
	@$(CLANG) $(fuzz_CFLAGS) -fsanitize=fuzzer -pthread -o $@ $^ -lcmocka $(PKG_LIBS)

build/imapmux: build/release/imapmux
	@ln -f $< $@

debug: build/asan/imapmux

# Packages. The stamps make the question cheap; 'make deps' asks again.
build/.deps-build: Makefile tests/deps.sh
	@tests/deps.sh $(BUILD_PACKAGES) && touch $@
build/.deps-test: Makefile tests/deps.sh
	@tests/deps.sh $(TEST_PACKAGES) && tests/e2e/lib/fetch_servers.sh && \
		touch $@ build/.deps-build
build/.deps-bench: Makefile tests/deps.sh
	@tests/deps.sh $(BENCH_PACKAGES) && touch $@
deps:
	@rm -f build/.deps-test && $(MAKE) --no-print-directory build/.deps-test

# Tests. Sanitizers stop the program that errs; run.sh looks for what they wrote, so that no report
# is lost with the log of a server that a test started.
UNIT ?=
one_or_all = $(if $(UNIT),build/$(1)/tests/unit/$(UNIT)_test,$(2:%.c=build/$(1)/%))
# Under ThreadSanitizer only what meets threads; imap, route, auth, config decide alone.
THREAD_TESTS := $(filter-out $(addprefix tests/unit/,imap/% route/% auth/% config/%),$(TEST_SRCS))
BINARY ?= build/imapmux
PYTEST ?=
ONCE ?=

unit: $(call one_or_all,asan,$(TEST_SRCS))
	@tests/unit/run.sh $^
e2e: $(BINARY) build/.deps-test
	@tests/e2e/run.sh $(BINARY) $(PYTEST)
asan: unit
	@$(MAKE) --no-print-directory e2e BINARY=build/asan/imapmux
tsan: build/tsan/imapmux $(call one_or_all,tsan,$(THREAD_TESTS))
	@tests/unit/run.sh $(call one_or_all,tsan,$(THREAD_TESTS))
	@IMAPMUX_WORKERS=4 tests/e2e/run.sh build/tsan/imapmux -m threads $(PYTEST)
fuzz: $(FUZZ_SRCS:%.c=build/fuzz/%)
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $^

lint: build/.deps-test
	@tests/lint/run.sh
format: build/.deps-test
	@find proxy include tests -name '*.[ch]' -exec clang-format -i {} +
man: build/.deps-test
	@tests/lint/man.sh etc/man/*.[0-9]

# Fuzzers from seeds of their own. Random sessions: under AddressSanitizer for leaks, without for memory,
# under ThreadSanitizer for races.
SESSIONS ?= 10000
nightly: build/asan/imapmux build/imapmux build/tsan/imapmux build/.deps-test
	@$(MAKE) --no-print-directory fuzz FUZZ_SECONDS=120
	@IMAPMUX_SESSIONS=$(SESSIONS) tests/e2e/run.sh build/asan/imapmux -s -k test_random $(PYTEST)
	@IMAPMUX_SESSIONS=$(SESSIONS) tests/e2e/run.sh build/imapmux -s -k test_random $(PYTEST)
	@IMAPMUX_SESSIONS=$$(($(SESSIONS) / 5)) IMAPMUX_WORKERS=4 \
		tests/e2e/run.sh build/tsan/imapmux -s -k test_random $(PYTEST)

test:
	@tests/all.sh $(MAKE)
demo: build/imapmux build/.deps-test
	@$(PYTHON) -B tests/demo/demo.py build/imapmux $(if $(ONCE),--once)

# The bench. Its programs share no code with the proxy, nor its libraries but OpenSSL.
BENCH_COMMON := $(addprefix tests/bench/,must.c loop.c tls.c stream.c lines.c)
STUB_SRCS := $(wildcard tests/bench/stub*.c) $(BENCH_COMMON)
LOAD_SRCS := $(filter-out $(STUB_SRCS),$(wildcard tests/bench/*.c)) $(BENCH_COMMON)
build/bench/stub: $(STUB_SRCS:%.c=build/release/%.o)
build/bench/load: $(LOAD_SRCS:%.c=build/release/%.o)
build/bench/stub build/bench/load:
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(release_CFLAGS) $(release_LDFLAGS) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs openssl)
-include $(patsubst %.c,build/release/%.d,$(STUB_SRCS) $(LOAD_SRCS))
QUICK ?=
ONLY ?=
PEERS ?=
REPEATS ?=
BEFORE ?=
bench: build/imapmux build/bench/stub build/bench/load build/.deps-bench
	@$(PYTHON) -B tests/bench/bench.py build/imapmux $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) \
		$(if $(PEERS),--peers $(PEERS)) $(if $(REPEATS),--repeats $(REPEATS)) $(if $(BEFORE),--before $(BEFORE))

cov: build/cov/imapmux $(TEST_SRCS:%.c=build/cov/%)
	@tests/cov.sh $^

install: build/imapmux
	install -D -m 755 build/imapmux $(DESTDIR)$(SBINDIR)/imapmux
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 etc/man/imapmux.8
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 etc/man/imapmux.conf.5
	test -e $(DESTDIR)$(SYSCONFDIR)/imapmux/imapmux.conf || \
		install -D -m 640 -t $(DESTDIR)$(SYSCONFDIR)/imapmux etc/imapmux.conf
	install -d $(DESTDIR)$(UNITDIR)
	sed 's,/usr/local/sbin/,$(SBINDIR)/,' etc/systemd/imapmux.service \
		>$(DESTDIR)$(UNITDIR)/imapmux.service

clean:
	rm -rf build

.PHONY: all debug deps unit e2e asan tsan fuzz lint format man nightly test demo bench cov install clean
