# SPDX-License-Identifier: GPL-2.0-or-later
# `make help` tells what there is; V=1 shows commands.

TOP := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
O ?= $(TOP)/build/host
KDIR ?= /lib/modules/$(shell uname -r)/build
SUITE ?= trixie
V ?= 0
export V

MAKEFLAGS += --no-print-directory
Q := $(if $(filter 1,$(V)),,@)
VM := $(TOP)/selftests/vm

.DEFAULT_GOAL := tools

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9 -]*\):.*## /\1\t/p' $(TOP)/Makefile | expand -t 16

tools: deps ## xckpt-dump, xckpt-info, xckpt-stat and qemu-resume for this machine, in $(O)/bin
	$(Q)$(MAKE) -C userland O=$(O)
	$(Q)$(MAKE) -C qemu-restore O=$(O)

module: ## xckpt.ko for the kernel whose build folder is KDIR, as $(O)/xckpt.ko
	@mkdir -p $(O)/module
	@# kbuild writes beside the sources: give it a copy, so that kernels do not mix
	$(Q)for d in kmod uapi; do cp -ru --preserve=timestamps $(TOP)/$$d $(O)/module/; done
	@# O= is kbuild's too, and means the kernel's build folder there
	$(Q)$(MAKE) -C $(KDIR) O=$(abspath $(KDIR)) M=$(O)/module/kmod W=1 $(if $(filter 1,$(V)),,-s) modules
	$(Q)cmp -s $(O)/module/kmod/xckpt.ko $(O)/xckpt.ko || cp $(O)/module/kmod/xckpt.ko $(O)/xckpt.ko

# what the VM rig builds in a suite's root, and on this machine for an arm64 one
suite: module
	$(Q)$(MAKE) -C userland O=$(O)
	$(Q)$(MAKE) -C qemu-restore O=$(O)
	$(Q)$(MAKE) -C selftests O=$(O)

suite-cross:
	$(Q)$(MAKE) -C qemu-restore O=$(O)

deps: ## install what is missing to build and to run the VMs (Debian packages)
	$(Q)$(VM)/deps.sh

demo: deps ## freeze a program in an x86-64 VM, resume it in an ARM64 VM: the whole way once
	$(Q)$(TOP)/selftests/demo.sh

check: deps ## everything that a change must pass
	$(Q)$(TOP)/selftests/check.sh

check-debug: deps ## the module's tests under a kernel with KASAN, lockdep and kmemleak
	$(Q)$(TOP)/selftests/check-debug.sh

bench-freeze: deps ## freeze and pause against cgroup.freeze, SIGSTOP, CRIU, gcore, fork(): build/bench/freeze.md
	$(Q)$(TOP)/selftests/bench/all.sh freeze

bench: deps ## every benchmark, which takes hours, or those in PART: build/bench/bench.md
	$(Q)$(TOP)/selftests/bench/all.sh $(PART)

bench-small: deps ## the same with little to do, which only tells whether they work: build/bench-small
	$(Q)$(TOP)/selftests/bench/small.sh $(PART)

bench-translate: deps ## natively, under qemu-user, resumed under it: build/bench/{translate,system}.md
	$(Q)$(TOP)/selftests/bench/all.sh translate system

lint: ## style: SPDX lines, shellcheck, clang-format, no warning from gcc and clang
	$(Q)$(TOP)/selftests/lint.sh

vm: deps ## a shell command in a VM: make vm SUITE=bookworm RUN='uname -r'
	$(Q)$(VM)/run.sh --suite $(SUITE) -- '$(RUN)'

clean: ## remove build products, but not the cached VM roots
	rm -rf $(TOP)/build

distclean: clean ## remove the cached VM roots too
	rm -rf $(TOP)/.cache

.PHONY: help tools module suite suite-cross deps demo check check-debug bench bench-small bench-freeze bench-translate lint vm clean distclean
