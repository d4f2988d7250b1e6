# SPDX-License-Identifier: GPL-2.0-or-later
# What every C tool here is built with. Included with O=, the absolute folder that
# takes all products ($(O)/bin, $(O)/obj), and TOP=, the top of the sources, set.
#   CROSS_COMPILE=aarch64-linux-gnu- SYSROOT=DIR   build for another machine
#   CC=clang   V=1   WERROR=   EXTRA_CFLAGS=...

ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
AR := $(CROSS_COMPILE)ar
PKG_CONFIG ?= pkg-config
WERROR ?= -Werror

CFLAGS ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I$(TOP)/uapi -I$(TOP)/userland/image
CFLAGS += -std=gnu11 -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes \
	-Wshadow -Wno-unused-parameter -Wno-missing-field-initializers -fno-strict-aliasing $(WERROR) $(EXTRA_CFLAGS)
LDFLAGS += -pthread

ifneq ($(SYSROOT),)
# the sysroot is a Debian root: libraries under the target's multiarch folder
TRIPLET := $(patsubst %-,%,$(CROSS_COMPILE))
SYSROOT_LIB := $(SYSROOT)/usr/lib/$(TRIPLET)
# before the C library that came with the cross compiler: that may be an older one
CFLAGS += --sysroot=$(SYSROOT) -isystem $(SYSROOT)/usr/include/$(TRIPLET) -isystem $(SYSROOT)/usr/include
LDFLAGS += --sysroot=$(SYSROOT) -B$(SYSROOT_LIB)/ -L$(SYSROOT_LIB) -Wl,-rpath-link,$(SYSROOT_LIB)
export PKG_CONFIG_SYSROOT_DIR := $(SYSROOT)
export PKG_CONFIG_LIBDIR := $(SYSROOT_LIB)/pkgconfig:$(SYSROOT)/usr/share/pkgconfig
endif

# quiet unless V=1
ifeq ($(V),1)
quiet = $(2)
else
quiet = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(O)/%,%,$@)'; $(2)
endif

IMAGE_LIBS = $(shell $(PKG_CONFIG) --libs libelf jansson libarchive libzstd libxxhash)

# remake everything when the flags or the compiler change; each folder has flags of its own
FLAGS_FILE := $(O)/obj/.flags-$(notdir $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST))))))
$(FLAGS_FILE): FORCE
	@mkdir -p $(O)/obj $(O)/bin
	@printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' | cmp -s - $@ || \
		printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' > $@
FORCE:
.PHONY: FORCE
