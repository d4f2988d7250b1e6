#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Boots a Debian kernel under QEMU and runs a command in it; see usage().

# shellcheck source=selftests/vm/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=selftests/vm/qemu.sh
. "$VM_DIR/qemu.sh"

usage() {
	cat <<'END'
usage: selftests/vm/run.sh [OPTION...] -- COMMAND...

Boots the kernel and root of a Debian suite in a virtual machine, runs COMMAND
there as root, and ends with its status. One argument is a line for sh; several
are run as they are.

  --suite SUITE      bookworm, trixie (default), sid
  --arch ARCH        amd64 (default) or arm64
  --cpu MODEL        the CPU model for QEMU
  --mem MIB          memory (2048)
  --cpus N           processors (2)
  --timeout S        seconds that the machine may run (600)
  --with PKG,...     a root with these packages too
  --kernel FILE      boot this kernel, which has its drivers built in
  --append ARGS      more arguments for the kernel
  --icount           one processor whose clock counts instructions: one is 1 ns

In the guest the top of the source tree is mounted read-only at its own path
(XCKPT_TOP), the folder XCKPT_SHARE (build/share unless set) writable at its
own path; the tools of this suite are on PATH, and XCKPT_KO is the module's
path. XCKPT_NO_BUILD=1 takes them as they are.

status: COMMAND's; 124 after the timeout; 125 if the machine fails or the
kernel reports a fault.
END
}

parse() {
	suite=trixie arch=amd64 cpu='' mem=2048 cpus=2 timeout=600 with=''
	kernel='' append='' icount=()
	while [ $# -gt 0 ]; do
		case $1 in
		--icount) icount=(-icount 'shift=0,sleep=off'); shift; continue ;;
		--suite) suite=${2?} ;;
		--arch) arch=${2?} ;;
		--cpu) cpu=${2?} ;;
		--mem) mem=${2?} ;;
		--cpus) cpus=${2?} ;;
		--timeout) timeout=${2?} ;;
		--with) with=${2?} ;;
		--kernel) kernel=$(realpath "${2?}") ;;
		--append) append=${2?} ;;
		-h | --help) usage; exit 0 ;;
		--) shift; break ;;
		*) usage >&2; exit 125 ;;
		esac
		shift 2
	done
	command=("$@")
	[ ${#command[@]} -gt 0 ] || { usage >&2; exit 125; }
	check_suite "$suite"
	check_arch "$arch"
}

prepare() {
	local options=() root
	[ -z "$with" ] || options=(--with "$with")
	"$VM_DIR/deps.sh"
	root=$("$VM_DIR/root.sh" "$suite" "$arch" "${options[@]}")
	entry=${root%/*}
	qemu_find "$arch"
	[ -n "${XCKPT_NO_BUILD:-}" ] || "$VM_DIR/build.sh" "$suite" "$arch" ||
		die "cannot build for $suite/$arch: see above"
	out=$(out_dir "$suite" "$arch")
	share=$(realpath -m "${XCKPT_SHARE:-$XCKPT_TOP/build/share}")
	mkdir -p "$share" "$XCKPT_TOP/build/vm"
	log=$XCKPT_TOP/build/vm/$suite-$arch-$$.log
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/xckpt-vm.XXXXXX")
}

# Folders of this machine that the guest sees, parents first.
mount_list() {
	{
		[ "$share" = "$XCKPT_TOP" ] || echo "top ro $XCKPT_TOP"
		echo "share rw $share"
	} | awk '{ print length($3), $0 }' | sort -n | cut -d' ' -f2-
}

guest_environment() {
	printf '%s\0' \
		"PATH=$out/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
		HOME=/root USER=root LOGNAME=root SHELL=/bin/bash LANG=C.UTF-8 \
		"TERM=${TERM:-dumb}" "XCKPT_SHARE=$share" "XCKPT_TOP=$XCKPT_TOP" \
		"XCKPT_SUITE=$suite" "XCKPT_ARCH=$arch"
	[ "$arch" != amd64 ] || printf '%s\0' "XCKPT_KO=$out/xckpt.ko"
}

# The working directory where it is the same folder in the guest.
guest_cwd() {
	case $PWD/ in
	"$XCKPT_TOP"/* | "$share"/*) echo "$PWD" ;;
	*) echo /root ;;
	esac
}

# The kernel unpacks one archive after the other: the root's, made once, and
# one with this run's own files.
make_initrd() {
	local tree=$work/tree
	mkdir -p "$tree/xckpt"
	cp "$VM_DIR/guest/init" "$tree/init"
	cp "$VM_DIR/guest/stage2" "$VM_DIR/guest/relay.pl" "$tree/xckpt/"
	mount_list >"$tree/xckpt/mounts"
	guest_environment >"$tree/xckpt/environment"
	printf '%s\0' "$(guest_cwd)" >"$tree/xckpt/cwd"
	printf '%s\0' "${command[@]}" >"$tree/xckpt/command"
	{
		cat "$entry/initrd"
		(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0)
	} >"$work/initrd"
}

# Sets the array machine.
machine_of() {
	case $1 in
	amd64)
		machine=(-machine q35 -cpu "${cpu:-max}")
		console=ttyS0
		# under load Linux takes QEMU's time stamp counter for a bad one, and
		# turns to a clock whose every reading leaves the guest; and it waits for
		# interrupts of a timer that are late, and panics
		append="tsc=reliable no_timer_check $append"
		;;
	arm64)
		machine=(-machine "virt,gic-version=3" -cpu "${cpu:-max,pauth=off}")
		console=ttyAMA0
		;;
	esac
}

# A tree may lie on several file systems of this machine: remap keeps their
# inode numbers apart.
shared_folders() {
	local tag mode path options
	while read -r tag mode path; do
		options=local,id=$tag,security_model=passthrough,multidevs=remap
		[ "$mode" = rw ] || options+=,readonly=on
		printf '%s\n' -fsdev "$options,path=${path//,/,,}" \
			-device "virtio-9p-pci,fsdev=$tag,mount_tag=$tag"
	done < <(mount_list)
}

# Sets the array vm: the whole command that is the virtual machine.
vm_command() {
	local folders args
	machine_of "$arch"
	mapfile -t folders < <(shared_folders)
	args="console=$console loglevel=5 panic=-1 oops=panic panic_on_warn=1 mitigations=off"
	args+=" rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60 $append"
	# shellcheck disable=SC2054 # QEMU's commas
	# instructions can be counted of one processor only
	[ ${#icount[@]} -eq 0 ] || { tcg=tcg,thread=single cpus=1; }
	# shellcheck disable=SC2054 # QEMU's commas
	vm=("${qemu[@]}" "${machine[@]}" -accel "$tcg" "${icount[@]}" -smp "$cpus" -m "$mem"
		-nodefaults -display none -no-reboot -nic none
		-kernel "${kernel:-$entry/vmlinuz}" -initrd "$work/initrd"
		-append "$args" -serial "file:$log"
		-drive "file=$entry/disk.ext4,if=none,id=root,format=raw,cache=unsafe,snapshot=on"
		-device virtio-blk-pci,drive=root
		-device virtio-rng-pci
		-chardev "file,id=relay,path=$work/relay"
		-device virtio-serial-pci -device virtserialport,chardev=relay,name=xckpt
		"${folders[@]}")
}

# The machine dies with this script, even when that is killed.
boot() {
	mkfifo "$work/relay"
	: >"$log"
	TMPDIR=$work setpriv --pdeathsig TERM \
		timeout -k 5 "$timeout" "${vm[@]}" \
		</dev/null >"$work/relay" 2>"$work/qemu.err" &
	vm_pid=$!
	"$VM_DIR/demux.pl" "$work/status" <"$work/relay" &
	demux_pid=$!
	demux_status=0
	wait "$demux_pid" || demux_status=$?
	demux_pid=''
	kill "$vm_pid" 2>/dev/null || true
	vm_status=0
	wait "$vm_pid" || vm_status=$?
	vm_pid=''
}

clean_up() {
	local pid
	trap - EXIT
	for pid in ${demux_pid:-} ${vm_pid:-}; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	[ -z "${work:-}" ] || rm -rf "$work"
}

# Turns what happened into the status of this script.
verdict() {
	if "$VM_DIR/splat.sh" "$log" >&2; then
		die "the kernel of $suite/$arch reported a fault (log: $log)"
	elif [ -s "$work/status" ]; then
		exit "$(cat "$work/status")"
	elif [ "$demux_status" -gt 128 ]; then
		# Whoever read our output went away.
		exit "$demux_status"
	elif [ "$vm_status" -eq 124 ] || [ "$vm_status" -eq 137 ]; then
		say "$suite/$arch: no end after $timeout s (log: $log)"
		exit 124
	fi
	cat "$work/qemu.err" >&2
	tail -n 20 "$log" | tr -d '\r' >&2
	die "the machine $suite/$arch died before the command ended (log: $log)"
}

main() {
	parse "$@"
	need_root "$@"
	trap clean_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	prepare
	make_initrd
	vm_command
	boot
	verdict
}

main "$@"
