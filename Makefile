# adavic. `make` leaves the compiler at build/adavic; it holds its standard library and the runtime of the
# models, and can be moved. `make help` lists the rest.
#
#   BUILD=DIR     where everything goes (default build)
#   PREFIX=DIR    where `make install` puts things (default /usr/local), below DESTDIR
#   SANITIZE=1    AddressSanitizer and UndefinedBehaviorSanitizer in compiler, runtime and tests;
#                 SANITIZE=thread: ThreadSanitizer, SANITIZE=fuzzer: as 1, for libFuzzer (clang)
#   FUZZ_SECONDS=60    for each target of `make fuzz`

BUILD ?= build
PREFIX ?= /usr/local
CC ?= cc
LLVM_CONFIG ?= llvm-config-19
JOBS := $(shell nproc 2>/dev/null || echo 2)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS) --no-print-directory
endif
SHELL := /bin/bash
# `make V=1` shows the commands themselves
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)")

# ---- flags ----
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
OPTIMISE ?= -O2
FUZZ_SECONDS ?= 60
CPPFLAGS += -Icompiler -I. -I$(BUILD) -D_GNU_SOURCE
CFLAGS += -std=c11 -g $(OPTIMISE) $(WARN)
LDLIBS += -lm -lpthread
ifdef SANITIZE
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
ifeq ($(SANITIZE),thread)
SANITIZERS := -fsanitize=thread
else ifeq ($(SANITIZE),fuzzer)
SANITIZERS += -fsanitize=fuzzer-no-link
CPPFLAGS += -DADAVIC_LIBFUZZER
$(BUILD)/tests/fuzz/%: LDFLAGS += -fsanitize=fuzzer
endif
CFLAGS += $(SANITIZERS) -fno-omit-frame-pointer
LDFLAGS += $(SANITIZERS)
endif
LLVM_CPPFLAGS = -isystem $(shell $(LLVM_CONFIG) --includedir)
LLVM_LIBS = $(shell $(LLVM_CONFIG) --ldflags --libs --link-shared)
VERSION := 0.1.0
DATE := 2026-11-25

# ---- files ----
COMPILER_C := $(filter-out compiler/adavic.c,$(wildcard compiler/*.c compiler/*/*.c))
RUNTIME_C := $(wildcard runtime/*.c)
GRAMMAR_C := $(BUILD)/grammar/hbm.lex.c $(BUILD)/grammar/hbm.tab.c
STDLIB := $(sort $(shell find stdlib -name '*.hbm'))
EXAMPLES := $(sort $(wildcard examples/*.hbm))
# tests/*/test_*.c are programs; other C files beside them are helpers, linked where they are needed
TEST_C := $(sort $(wildcard tests/*/test_*.c))
TEST_HELPER_C := $(filter-out $(TEST_C) tests/measure/%,$(wildcard tests/*/*.c))

object = $(patsubst %.c,$(BUILD)/%.o,$(1))
COMPILER_O := $(call object,$(COMPILER_C)) $(GRAMMAR_C:.c=.o) $(BUILD)/stdlib_text.o
RUNTIME_O := $(call object,$(RUNTIME_C))
TEST_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(TEST_C))
ZLIB_A := $(shell $(CC) -print-file-name=libz.a)

# ---- the compiler ----
.PHONY: all
all: $(BUILD)/adavic

$(BUILD)/adavic: $(BUILD)/compiler/adavic.o $(BUILD)/embedded.o $(BUILD)/libadavic.a $(BUILD)/libadavi_rt.a
	$(call say,link $@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LLVM_LIBS) $(LDLIBS)

$(BUILD)/libadavic.a: $(COMPILER_O)
	@rm -f $@ && ar rcs $@ $^

# Everything a compiled model needs beside libc, in one archive: the runtime, and zlib for .npz.
$(BUILD)/libadavi_rt.a: $(RUNTIME_O) $(wildcard $(ZLIB_A))
	@rm -f $@
	@printf '%s\n' 'create $@' $(patsubst %,'addmod %',$(RUNTIME_O)) 'addlib $(ZLIB_A)' save end | ar -M
	@ranlib $@

# The archive and the header of the models' interface, as bytes inside adavic.
$(BUILD)/embedded.S: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '.section .rodata' \
	  '.globl adavic_runtime_archive, adavic_runtime_archive_end, adavic_abi_header, adavic_abi_header_end' \
	  '.balign 16' 'adavic_runtime_archive: .incbin "$(BUILD)/libadavi_rt.a"' 'adavic_runtime_archive_end: .byte 0' \
	  'adavic_abi_header: .incbin "runtime/abi.h"' 'adavic_abi_header_end: .byte 0' \
	  '.section .note.GNU-stack,"",@progbits' >$@
$(BUILD)/embedded.o: $(BUILD)/embedded.S $(BUILD)/libadavi_rt.a runtime/abi.h
	@$(CC) -c -o $@ $<

# The standard library as C strings (`?` escaped, so that no trigraph arises).
$(BUILD)/stdlib_text.c: $(STDLIB) Makefile
	@mkdir -p $(@D)
	@{ echo '#include "front/front.h"'; echo 'const StdlibFile stdlib_files[] = {'; \
	  for f in $(STDLIB); do echo "{\"$$f\","; \
	    sed -e 's/[\\"?]/\\&/g' -e 's/.*/ "&\\n"/' "$$f"; echo ' ""},'; done; \
	  echo '};'; echo 'const int stdlib_file_count = sizeof stdlib_files / sizeof *stdlib_files;'; } >$@

$(BUILD)/grammar/hbm.tab.c: grammar/hbm.y
	@mkdir -p $(@D)
	$(call say,bison $<)
	$(Q)bison -Werror -Wcounterexamples --header=$(@:.c=.h) -o $@ $<
$(BUILD)/grammar/hbm.lex.c: grammar/hbm.l
	@mkdir -p $(@D)
	$(call say,flex $<)
	$(Q)flex --header-file=$(@:.c=.h) -o $@ $<
# flex and bison write code that our warnings were not made for
$(GRAMMAR_C:.c=.o): WARN := -Wall -Wno-unused-function -Wno-sign-compare -Wno-unused-but-set-variable
$(BUILD)/grammar/hbm.lex.o: $(BUILD)/grammar/hbm.tab.c
$(BUILD)/grammar/hbm.tab.o: $(BUILD)/grammar/hbm.lex.c
$(call object,$(wildcard compiler/front/*.c)): | $(GRAMMAR_C)

# into programs and into shared libraries
$(RUNTIME_O): CFLAGS += -fPIC
# a product and a sum there are to be one instruction; sanitizers have no business in it
$(BUILD)/runtime/peak.o: CFLAGS += -O2 -ffp-contract=fast
$(BUILD)/compiler/back/llvm%.o: CPPFLAGS += $(LLVM_CPPFLAGS)
$(BUILD)/compiler/adavic.o $(BUILD)/compiler/driver.o $(BUILD)/compiler/back/manifest.o: CPPFLAGS += -DADAVIC_VERSION='"$(VERSION)"'
$(BUILD)/compiler/adavic.o: CPPFLAGS += -DADAVIC_DATE='"$(DATE)"'
$(BUILD)/compiler/back/link.o: CPPFLAGS += -DADAVIC_LINK_FLAGS='"$(SANITIZERS)"'

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc $<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: $(BUILD)/%.c
	@mkdir -p $(@D)
	$(call say,cc $<)
	$(Q)$(CC) $(CPPFLAGS) -Igrammar $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- installing ----
# The manual pages come from the tables that --help comes from.
MAN := $(BUILD)/man/adavic.1 $(BUILD)/man/adavic-model.1 $(BUILD)/man/adavic-init.1
$(BUILD)/man/adavic.1: HELP_MAN := adavic
$(BUILD)/man/adavic-model.1: HELP_MAN := model
$(BUILD)/man/adavic-init.1: HELP_MAN := init
$(MAN): $(BUILD)/adavic
	@mkdir -p $(@D)
	@$< --help-man=$(HELP_MAN) >$@

# Documentation keeps its layout, so that its links hold.
INSTALLED_DOCS = README.md LICENSE $(shell find docs examples -type f ! -name '*.weights')
bindir = $(DESTDIR)$(PREFIX)/bin
mandir = $(DESTDIR)$(PREFIX)/share/man/man1
docdir = $(DESTDIR)$(PREFIX)/share/doc/adavic
.PHONY: install uninstall
install: all $(MAN)
	@install -d $(bindir) $(mandir) $(sort $(addprefix $(docdir)/,$(dir $(INSTALLED_DOCS))))
	@install -m 755 $(BUILD)/adavic $(bindir)/adavic
	@install -m 644 $(MAN) $(mandir)
	@for f in $(INSTALLED_DOCS); do cp -f $$f $(docdir)/$$f && chmod u=rwX,go=rX $(docdir)/$$f || exit 1; done
	@echo "  installed adavic, its manual pages, documentation and examples under $(DESTDIR)$(PREFIX)"
uninstall:
	@rm -f $(bindir)/adavic $(addprefix $(mandir)/,$(notdir $(MAN)))
	@rm -rf $(docdir)

# ---- tests ----
$(BUILD)/libtests.a: $(call object,$(TEST_HELPER_C))
	@rm -f $@ && ar rcs $@ $^
$(TEST_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libtests.a $(BUILD)/libadavic.a $(BUILD)/embedded.o $(BUILD)/libadavi_rt.a
	$(call say,link $@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LLVM_LIBS) $(LDLIBS)
$(BUILD)/tests/%.o: CPPFLAGS += -Itests/unit

FUZZERS := $(filter $(BUILD)/tests/fuzz/%,$(TEST_PROGRAMS))
.PHONY: test check bless asan tsan fuzz fuzzers
test: ; @./setup.sh && $(MAKE) check T="$(T)"
check: all $(TEST_PROGRAMS) ; @BUILD=$(BUILD) tests/run.sh $(T)
bless: all ; @BUILD=$(BUILD) tests/run.sh --bless $(T)
asan: ; @$(MAKE) BUILD=$(BUILD)/asan SANITIZE=1 check
# What runs several threads; and a program compiled by a compiler of that kind.
tsan: ; @$(MAKE) BUILD=$(BUILD)/tsan SANITIZE=thread check T="test_rt_program test_rt_commands cli/threads"
fuzzers: $(FUZZERS)
fuzz: $(FUZZERS) ; @BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh $(T)

# ---- measuring ----
$(BUILD)/bench/%: $(BUILD)/bench/%.o $(BUILD)/libtests.a $(BUILD)/libadavic.a $(BUILD)/embedded.o $(BUILD)/libadavi_rt.a
	$(call say,link $@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LLVM_LIBS) $(LDLIBS)
.PHONY: bench-blas
bench-blas: $(BUILD)/bench/blas ; @$<

# ---- reading, formatting, comparing, showing ----
FORMATTED = $(wildcard compiler/*.[ch] compiler/*/*.[ch] runtime/*.[ch] tests/*/*.[ch] bench/*.[ch])
.PHONY: fmt lint irdiff irsave measure paper bench demo docs setup clean help
fmt: ; clang-format -i $(FORMATTED)
lint: ; @clang-format --dry-run -Werror $(FORMATTED) && tests/lint.sh
# The IR of every example against the one saved by `make irsave`: a refactoring shows an empty difference.
irsave: all ; @BUILD=$(BUILD) tests/irdiff.sh save
irdiff: all ; @BUILD=$(BUILD) tests/irdiff.sh
measure: all ; +@BUILD=$(BUILD) tests/measure/run.sh
paper: all ; @BUILD=$(BUILD) tests/measure/paper.sh
bench: all ; @BUILD=$(BUILD) bench/run.sh
demo: ; @./setup.sh && $(MAKE) all && BUILD=$(BUILD) examples/demo.sh
docs: all
	$(BUILD)/adavic --explain all >docs/errors.md
	$(BUILD)/adavic --explain-ops >docs/ir-ops.md
	$(BUILD)/adavic --explain-library >docs/distributions.md
	grammar/page.sh docs/language.md >$(BUILD)/language.md
	cp $(BUILD)/language.md docs/language.md
setup: ; @./setup.sh
clean: ; rm -rf $(BUILD)
help:
	@echo 'make           build $(BUILD)/adavic'
	@echo 'make demo      install what is missing, build, and show pastes.hbm on real data'
	@echo 'make install   adavic, manual pages, documentation and examples under PREFIX=$(PREFIX)'
	@echo 'make test      every test (make check: without the check for packages)'
	@echo 'make asan      the same under AddressSanitizer and UBSan, in $(BUILD)/asan'
	@echo 'make tsan      what runs several threads, under ThreadSanitizer, in $(BUILD)/tsan'
	@echo 'make fuzz      every reader on mutated input, FUZZ_SECONDS=$(FUZZ_SECONDS) each; T=front for one'
	@echo 'make bless     rewrite the expectations of tests/diag and tests/ir'
	@echo 'make irsave, make irdiff    save, then compare, the IR of all examples'
	@echo 'make bench-blas    OpenBLAS beside our own kernels, by width of a layer'
	@echo 'make measure   accuracy against exact results (takes long)'
	@echo 'make paper     the published comparisons, run again (writes docs/paper.md)'
	@echo 'make bench     speed, in turns with a peer in JAX (bench/README.md)'
	@echo 'make fmt lint docs setup clean'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
