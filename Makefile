# SPDX-License-Identifier: GPL-2.0
#
# tls_drst: the RST that follows a TLS close_notify waits until all data is delivered.
# `make help` lists what there is to make.

KDIR ?= /lib/modules/$(shell uname -r)/build

all: module userspace

help:
	@echo 'make                  the module, the FTPS helper and drstat'
	@echo 'make module           tls_drst.ko for the running kernel, or for KDIR=<headers>'
	@echo 'make modules_install  put it where modprobe finds it'
	@echo 'make userspace        the FTPS helper and drstat, in userspace/build'
	@echo 'make selftests        the selftests'
	@echo 'make test             everything, on all test kernels (in QEMU: no reboot; root, or sudo, to install packages)'
	@echo 'make test-arch        the selftests on arm64, s390x, armhf and i386, all emulated: an hour at most'
	@echo 'make check-builds     builds the module for many more kernels and configurations'
	@echo 'make kernels-table    what these two came to, into docs/kernels.md'
	@echo 'make torture          long runs, about an hour; TORTURE=10 is a tenth of them'
	@echo 'make torture-ftps     the FTPS helper with sanitizers and with OpenSSL 3.5, a quarter of an hour'
	@echo 'make coverage         the lines and branches of the module that the selftests reach: build/coverage'
	@echo 'make mutants          wrong versions of the module, and whether a test notices: selftests/mutants'
	@echo 'make check-style      checkpatch, sparse, W=1, clang-format, cppcheck, shellcheck'
	@echo 'make model            the holds as a state machine, checked exhaustively: selftests/model'
	@echo 'make interop          the FTPS helper with the servers and clients of Debian: docs/interop.md; the table of docs/howto.md'
	@echo 'make bench            what the module costs, and its rivals: tables and plots in build/bench'
	@echo 'make demo             an FTPS transfer without and with the module'
	@echo 'make dkms-install     have DKMS build the module, for the kernels to come, too (KERNEL=); dkms-uninstall'
	@echo 'make deb              the Debian packages, in build/deb: docs/install.md'
	@echo 'make check-packages   builds, installs, boots and purges the packages (PARTS=: packaging/README.md)'
	@echo 'make check-hosts      make demo and make test set up on fresh Debian 12 and 13; as root, an hour'
	@echo 'make release          a release, tried with make test, signed: packaging/README.md'
	@echo 'make deps             install the Debian packages that test and demo need'
	@echo 'make update-kernels   move the test kernels to the newest in Debian'
	@echo 'make clean            remove what was built here'
	@echo 'make clean-cache      remove old downloads and images; ALL=1 removes all of them'

module: $(KDIR)/Makefile
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

modules_install: module
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_DIR=updates modules_install

$(KDIR)/Makefile:
	$(error No kernel headers in $(KDIR): install the package linux-headers-$(shell uname -r) or name them with KDIR=)

userspace:
	$(MAKE) -C userspace

selftests:
	$(MAKE) -C selftests

deps:
	@selftests/vm.d/deps

test: deps
	@selftests/vm.d/suite

test-arch: deps
	@selftests/vm.d/test-arch

check-builds:
	@selftests/vm.d/deps clang-19 lld-19 llvm-19
	@selftests/vm.d/check-builds

kernels-table:
	@selftests/vm.d/kernels-table

# upstream's tests of sockmaps want libbpf
torture:
	@selftests/vm.d/deps libbpf-dev clang-19 lld-19 llvm-19
	@selftests/vm.d/torture

coverage:
	@selftests/vm.d/deps gcovr
	@selftests/vm.d/coverage

mutants: deps
	@selftests/mutants/run.py $(MUTANTS)

torture-ftps: deps
	@selftests/vm.d/torture-ftps

check-style: deps
	@selftests/vm.d/check-style

model: deps
	@selftests/model/run

interop: deps
	$(MAKE) -C userspace interop
	@selftests/programs/run

bench: deps
	@bench/run

demo: deps
	@demo/run

dkms-install:
	@KERNEL='$(KERNEL)' packaging/dkms install

dkms-uninstall:
	@packaging/dkms uninstall

deb:
	@packaging/deb

check-packages: deps
	@packaging/check/run $(PARTS)

check-hosts: deps
	@selftests/vm.d/check-hosts $(HOSTS)

release: deps
	@packaging/release

update-kernels: deps
	selftests/vm update

clean:
	rm -rf build
	rm -f *.o .*.o *.ko *.mod *.mod.c .*.cmd modules.order Module.symvers
	rm -f module/*.o module/.*.cmd module/.*.d
	$(MAKE) -C userspace clean
	$(MAKE) -C selftests clean

clean-cache:
	selftests/vm prune $(if $(ALL),--all)

.PHONY: all help module modules_install userspace selftests deps test test-arch check-builds kernels-table torture coverage mutants torture-ftps check-style model interop bench demo \
	dkms-install dkms-uninstall deb check-packages check-hosts release update-kernels clean clean-cache
