# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The image in a virtual machine; source it. The branch office is that of tests/netns/lib.sh, with the machine in the
# box's place: its two network cards are wires into lan0 and wan0. Emulated in software (TCG): /dev/kvm may be there
# and not work, and nothing here may depend on it.
#
#	router: 10.7.0.1, DHCP and router advertisements for the box; DNS by the vendor's server
#	the machine's first serial port is $work/console, its second the debug image's shell

here_image=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/netns/lib.sh
. "$here_image/../../netns/lib.sh"
top=$(realpath "$here_image/../../..")
qemu=''

# As that of tests/tap.sh, but seldom: it waits for minutes, and the machine waited for needs the time.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		read -rt 0.4 <> <(:) || :
	done
}

# The kind of machine, by ARCH: this one's, or arm64, whose programs are in a build folder of their own.
export ARCH=${ARCH:-$(dpkg --print-architecture)}
built=$BUILD deps=(build image image-test)
case $ARCH in
arm64)
	machine=(qemu-system-aarch64 -machine 'virt,accel=tcg' -cpu cortex-a72 -device virtio-rng-pci)
	bios=/usr/share/AAVMF/AAVMF_CODE.fd bios_vars=/usr/share/AAVMF/AAVMF_VARS.fd
	second_serial=(-device 'pci-serial,chardev=shell')
	[[ $(dpkg --print-architecture) == arm64 ]] || built=$BUILD/arm64 deps+=(cross image-test-arm64)
	;;
*)
	machine=(qemu-system-x86_64 -machine 'q35,accel=tcg' -cpu 'Westmere,+rdrand'
		-global 'driver=cfi.pflash01,property=secure,value=off' -global 'ICH9-LPC.noreboot=false')
	bios=/usr/share/OVMF/OVMF_CODE_4M.fd bios_vars=/usr/share/OVMF/OVMF_VARS_4M.fd
	second_serial=(-serial chardev:shell)
	;;
esac
# What several tests boot is built once, by the first; IMAGE_OUT keeps it apart from `make image`'s.
images=${IMAGES:-$BUILD/tests/image/$ARCH}
image=$images/tarn.img.zst
mkdir -p "$images"
# On a busy machine the emulated timer's interrupts come late, the kernel takes the timer for broken, and hangs while
# it tries others ("MP-BIOS bug: 8254 timer not connected"). Real machines keep that check.
emulated=no_timer_check

# needs: what is not here and can not be had is a visible skip. needs_packages: as much of it as building takes.
needs_packages() {
	"$top/tests/deps" "${deps[@]}" >"$work/deps.log" 2>&1 ||
		skip_all "packages for building and running the image are not here (make deps-image deps-image-test): $(tail -n 1 "$work/deps.log")"
	"$top/image/fetch" >"$work/fetch.log" 2>&1 ||
		skip_all "the packages of image/lock.$ARCH can not be fetched: $(tail -n 1 "$work/fetch.log")"
}
needs() {
	exec {images_lock}>"$images/.lock"
	flock "$images_lock"
	needs_packages
	flock -u "$images_lock"
	[[ -x $built/boot/tarn-init ]] || skip_all "no $built/boot/tarn-init (make boot-programs)"
}

# image_fresh STAMP: nothing that goes into an image is newer.
image_fresh() {
	[[ -f $1 ]] && ! find "$built"/bin "$built"/boot "$top"/image "$top"/firmware/vendors "$top"/firmware/systemd/drive -type f -newer "$1" | grep -q .
}

# image_have: $image is a debug image of what is built. Its log is $images/log.
image_have() {
	local status=0
	flock "$images_lock"
	if ! image_fresh "$images/stamp"; then
		touch "$images/stamp.new"
		env BUILD="$built" IMAGE_OUT="$images" IMAGE_FAST=1 IMAGE_DEBUG=1 IMAGE_CMDLINE="$emulated" \
			"$top/image/build" >"$images/log" 2>&1
		status=$?
		if ((status == 0)); then
			ln -f "$images"/tarn-*-debug.img.zst "$image"
			ln -f "$images"/tarn-*-debug.update "${image%.img.zst}.update"
			mv "$images/stamp.new" "$images/stamp"
		fi
	fi
	flock -u "$images_lock"
	((status == 0)) || tail -n 20 "$images/log"
	return "$status"
}

# image_variant VERSION [COMMAND-LINE]: $images/VERSION.update, the same root tree under another version. DEBUG= (empty): without
# the debug image's shell.
image_variant() {
	local status=0 file=$images/$1.update debug=${DEBUG-1}
	flock "$images_lock"
	if ! [[ $file -nt $images/stamp && -f $file.cmdline && $(<"$file.cmdline") == "${2:-}" ]]; then
		env BUILD="$built" IMAGE_OUT="$images" IMAGE_FAST=1 IMAGE_DEBUG="$debug" IMAGE_REUSE=1 IMAGE_VERSION="$1" \
			IMAGE_CMDLINE="$emulated ${2:-}" "$top/image/build" >>"$images/log" 2>&1 &&
			mv "$images/tarn-$1-$ARCH${debug:+-debug}.update" "$file" && echo "${2:-}" >"$file.cmdline"
		status=$?
	fi
	flock -u "$images_lock"
	((status == 0)) || tail -n 20 "$images/log"
	return "$status"
}

# Of the second partition, for mtools: slots A and B.
# shellcheck disable=SC2034 # who sources this reads it
slots_at=@@129M

# variants NAME...: updates that $work/files shall have. good: 0.2. panics: 0.3, its kernel. sick: 0.4, which has no time
# to become healthy. hangs: 0.5, as good as 0.2 until somebody lets it hang. nodog: 0.6, to which no watchdog is known. plain: 0.7, no debug image. old: 0.0.1.
variants() {
	local name version words DEBUG
	mkdir -p "$work/files"
	for name; do
		words='' DEBUG=1
		case $name in
		good) version=0.2 ;;
		panics) version=0.3 words='rdinit=/none panic=1' ;;
		sick) version=0.4 words='tarn.deadline=1' ;;
		hangs) version=0.5 ;;
		nodog) version=0.6 words='modprobe.blacklist=i6300esb,iTCO_wdt' ;;
		plain) version=0.7 DEBUG='' ;;
		old) version=0.0.1 ;;
		esac
		image_variant "$version" "$words" || return 1
		ln -f "$images/$version.update" "$work/files/$name.update" 2>/dev/null ||
			cp "$images/$version.update" "$work/files/$name.update"
	done
}

# fetch_install NAME [OPTION...]: the box fetches NAME.update from the vendor's web server, and installs it; what
# tarnctl answers. VIA=file: it is given the file.
fetch_install() {
	local url=http://198.51.100.10:8080/files/$1.update
	if [[ ${VIA:-} == file ]]; then
		VM_LIMIT=240 vm "(cd /var/cache/tarn && wget -qO u $url && tarnctl update u --json ${*:2}
			status=\$?; rm -f u; exit \$status)"
	else
		VM_LIMIT=240 vm "tarnctl update $url --json ${*:2}"
	fi
}
# foreign_update KIND: foreign.update is the image's own, but says that it is for KIND, signed by the key that the image
# takes updates from.
foreign_update() {
	local own=${image%.img.zst}.update new=$work/files/foreign.update
	head -c 4096 "$own" | sed -n "/^signature=/q; s/^arch=.*/arch=$1/; p" >"$work/head"
	openssl pkeyutl -sign -inkey "$images/image/$ARCH/key" -rawin -in "$work/head" -out "$work/signature" || return 1
	(cat "$work/head" && echo "signature=$(base64 -w 0 "$work/signature")" && echo) >"$new"
	truncate -s 4096 "$new"
	tail -c +4097 "$own" >>"$new"
}
# refused NAME WORD: not installed, for that reason.
refused() {
	local answer
	answer=$(fetch_install "$1" --restart no)
	echo "$answer"
	[[ $(jq -r .fate <<<"$answer" 2>&1) == "$2" ]]
}
# slot_put NAME VERSION [TRIES]: onto $work/disk as if the box had installed it; good: also as if it had been found good.
slot_put() {
	local counter=+${3:-3}
	[[ $counter != +good ]] || counter=''
	tail -c +4097 "$work/files/$1.update" >"$work/slot" &&
		mcopy -o -i "$work/disk$slots_at" "$work/slot" "::/EFI/Linux/tarn-$2$counter.efi" && rm "$work/slot"
}
# slot_cut FILE BYTES: so much is left of it. slot_random FILE: not a byte of its own is.
slot_cut() {
	slot_get "$1" && head -c "$2" "$work/slot" >"$work/slot.less" && slot_take "$1" "$work/slot.less"
}
slot_random() {
	slot_get "$1" && head -c "$(stat -c %s "$work/slot")" /dev/urandom >"$work/slot.less" && slot_take "$1" "$work/slot.less"
}
slot_get() { mcopy -n -o -i "$work/disk$slots_at" "::/EFI/Linux/$1" "$work/slot"; }
slot_take() { mcopy -o -i "$work/disk$slots_at" "$2" "::/EFI/Linux/$1"; }
online() { vm 'ping -c 1 -W 2 198.51.100.10 >/dev/null'; }
# history_has EXPRESSION: of an entry of the box's history.
history_has() {
	local all
	all=$(vm 'tarnctl slots --json')
	echo "$all"
	jq -e "[.history[] | select($1)] | length > 0" <<<"$all" >/dev/null
}

# seed DISK FILE NAME: into the folder tarn of the ESP, which begins at 1 MiB.
seed() { mcopy -o -i "$1@@1M" "$2" "::/tarn/$3"; }

# catalogue: the vendor has objects and an index of them; catalogue_seed: $work/disk gets a profile that knows it.
objects=(one two deep/three large)
catalogue() {
	local name
	mkdir -p "$work/files/deep"
	for name in "${objects[@]}"; do
		head -c "$([[ $name == large ]] && echo 6000000 || echo 400000)" /dev/urandom >"$work/files/$name"
		echo "$(sha256sum <"$work/files/$name" | cut -d ' ' -f 1) $(stat -c %s "$work/files/$name") /files/$name"
	done >"$work/files/index.lst"
	touch -d '10 days ago' "$work/files/"* "$work/files/deep/three"
}
catalogue_seed() {
	cat >"$work/profile" <<-END
		[vendor]
		name = example
		[hosts]
		exact = mirror.vendor.example
		[class index]
		path = /**/index.lst
		default_ttl = 1h
		[index list]
		path = /**/index.lst
		format = lines
		line = {digest} {size} {path}
		base = host
		[sync]
		ahead = yes
		[reach]
		host = mirror.vendor.example
	END
	printf '[proxy]\nlisten = 0.0.0.0:3128\n[sync]\ninterval = 1d\njitter = 0s\n' >"$work/settings"
	mmd -i "$work/disk@@1M" ::/tarn/vendors && seed "$work/disk" "$work/profile" vendors/example.conf &&
		seed "$work/disk" "$work/settings" tarn.conf
}
# object_got NAME: a device gets it. catalogue_got: all of them.
object_got() {
	in_ns dev2 curl -sS --max-time 60 -H 'Host: mirror.vendor.example' "http://198.51.100.10/files/$1" |
		cmp - "$work/files/$1"
}
catalogue_got() {
	local name
	for name in index.lst "${objects[@]}"; do object_got "$name" || return 1; done
}
# catalogue_same FOLDER: so they are in it.
catalogue_same() {
	local name
	for name in index.lst "${objects[@]}"; do cmp "$1/$name" "$work/files/$name" || return 1; done
}
# A generation of it is the current one; the box is told to make it.
catalogue_published() {
	vm "tarnctl sync --now >/dev/null 2>&1; tarnctl sync --json" | jq -e 'any(.profiles[]; .generation > 0)'
}

# vendor_objects: what devices ask for, in tests of the machine itself; vendor_seed DISK: the profile for it.
# shellcheck disable=SC2034 # who sources this reads it
v4=http://198.51.100.10 v6='http://[2001:db8:51::10]'
vendor_objects() {
	head -c 300000 /dev/urandom >"$work/files/small"
	head -c 5000000 /dev/urandom >"$work/files/large"
	touch -d '10 days ago' "$work/files/"*
}
vendor_seed() {
	printf '[vendor]\nname = example\n[hosts]\nexact = mirror.vendor.example\nsuffix = vendor.example\n%s\n' \
		$'[reach]\nhost = mirror.vendor.example' >"$work/profile"
	mmd -i "$1@@1M" ::/tarn/vendors
	seed "$1" "$work/profile" vendors/example.conf
}
# vendor_tls: the vendor's port 443 speaks TLS, by an authority of its own ($work/vendor-ca.crt), also as agrees.example.
vendor_tls() {
	local ca=$work/vendor-ca ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
	openssl req -x509 "${ec[@]}" -subj '/CN=vendor CA' -days 20 -keyout "$ca.key" -out "$ca.crt" &&
		openssl req "${ec[@]}" -subj /CN=vendor -keyout "$work/vendor.key" -out "$work/vendor.csr" &&
		openssl x509 -req -in "$work/vendor.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -days 10 \
			-extfile <(echo 'subjectAltName=DNS:mirror.vendor.example,DNS:agrees.example') -out "$work/vendor.crt"
	sed -i -e 's|listen \(.*443\) |listen \1 ssl |' \
		-e "s|access_log off;|access_log off; ssl_certificate $work/vendor.crt; ssl_certificate_key $work/vendor.key;|" "$work/nginx.conf"
	printf 'address=/agrees.example/198.51.100.10\naddress=/agrees.example/2001:db8:51::10\n' >>"$work/dnsmasq.conf"
	# nginx and dnsmasq, of vendor_start.
	kill "${children[@]:0:2}"
	wait "${children[@]:0:2}" 2>/dev/null
	ip netns exec "$(ns vendor)" nginx -c "$work/nginx.conf" -p "$work/nginx" 2>>"$work/nginx.log" &
	children[0]=$!
	ip netns exec "$(ns vendor)" dnsmasq -C "$work/dnsmasq.conf" 2>"$work/dnsmasq.log" &
	children[1]=$!
} 2>>"$work/openssl.log"
# object_right DEVICE NAME: it comes whole; its head is $work/head.NAME.DEVICE.
object_right() {
	in_ns "$1" curl -sS --max-time 120 -H 'Host: mirror.vendor.example' -D "$work/head.$2.$1" "$v4/files/$2" |
		cmp - "$work/files/$2"
}
objects_right() { object_right "$1" small && object_right "$1" large; }
box_address() { vm "ip -4 -o addr show dev br0" | grep -oE '10\.7\.0\.[0-9]+' | head -n 1; }

# A branch office around the box, which gets its address by DHCP.
office() {
	topology bridge
	vm_network
	dhcp_start
}
# catalogue_box: what drives and shares begin with: a box that has published what the vendor has.
catalogue_box() {
	needs
	check 'the image is built' image_have || done_testing
	office
	catalogue
	disk_make "$image" "$work/disk" 2G
	check 'a seed is put into the ESP' catalogue_seed
	vm_start "$work/disk"
	check 'it is ready' becomes ready
	ready_say
	check 'it intercepts' wait_until 120 intercepted dev1 http://198.51.100.10/ || vm 'tarnctl status' | sed 's/^/# /'
	check 'a device gets all there is' catalogue_got
	check 'it is published' wait_until 60 catalogue_published
}

# The box's cards are taps, each in a bridge with the wire.
vm_network() {
	local port tap
	for port in lan wan; do
		tap=t$port
		ip -n "$(ns box)" tuntap add "$tap" mode tap
		ip -n "$(ns box)" link add "b$port" type bridge
		ip -n "$(ns box)" link set "$tap" master "b$port"
		ip -n "$(ns box)" link set "${port}0" master "b$port"
		in_ns box sysctl -qw "net.ipv6.conf.b$port.disable_ipv6=1" "net.ipv6.conf.$tap.disable_ipv6=1" \
			"net.ipv6.conf.${port}0.disable_ipv6=1"
		ip -n "$(ns box)" link set "$tap" up
		ip -n "$(ns box)" link set "b$port" up
	done
}

dhcp_start() {
	cat >"$work/dhcp.conf" <<-END
		port=0
		no-daemon
		user=root
		pid-file=
		bind-interfaces
		interface=in0
		dhcp-leasefile=$work/leases
		dhcp-range=10.7.0.100,10.7.0.120,255.255.255.0,${LEASE:-1h}
		dhcp-option=option:router,10.7.0.1
		dhcp-option=option:dns-server,198.51.100.53
		enable-ra
		dhcp-range=2001:db8:7::,ra-only
	END
	ip netns exec "$(ns router)" dnsmasq -C "$work/dhcp.conf" 2>"$work/dhcp.log" &
	dhcp=$!
	children+=("$dhcp")
}

# Another DHCP server, at the port of dev3, which takes itself for the only one and leads nowhere.
rogue_start() {
	addr dev3 eth0 10.99.0.1/24
	cat >"$work/rogue.conf" <<-END
		port=0
		no-daemon
		user=root
		pid-file=
		bind-interfaces
		interface=eth0
		dhcp-leasefile=$work/rogue.leases
		dhcp-authoritative
		dhcp-range=10.99.0.100,10.99.0.120,255.255.255.0,2m
		dhcp-option=option:router,10.99.0.1
		dhcp-option=option:dns-server,10.99.0.1
	END
	ip netns exec "$(ns dev3)" dnsmasq -C "$work/rogue.conf" 2>"$work/rogue.log" &
	rogue=$!
	children+=("$rogue")
}

# vm_start DISK [QEMU OPTION...]. WATCHDOG=chipset: without the card that is one. PORTS=one: with
# the card to the devices alone. CONSOLE: QEMU's words for the first serial port.
vm_start() {
	local disk=$1 dog=(-device 'i6300esb,id=dog')
	[[ ${WATCHDOG:-} != chipset ]] || dog=()
	local wan=(-netdev 'tap,id=wan,ifname=twan,script=no,downscript=no'
		-device 'virtio-net-pci,netdev=wan,mac=52:54:00:07:00:02,romfile=')
	[[ ${PORTS:-} != one ]] || wan=()
	shift
	rm -f "$work"/{shell,mon}.{in,out}
	mkfifo "$work"/{shell,mon}.{in,out}
	[[ -f $work/vars.fd ]] || cp "$bios_vars" "$work/vars.fd"
	: >"$work/console"
	since=0
	ip netns exec "$(ns box)" "${machine[@]}" -smp "${SMP:-1}" -m "${MEM:-512}" -nodefaults -no-user-config -display none \
		-drive if=pflash,format=raw,unit=0,readonly=on,file="$bios" \
		-drive if=pflash,format=raw,unit=1,file="$work/vars.fd" \
		-drive "if=none,id=disk,cache=writeback,discard=unmap,${DRIVE:-format=raw,file=$disk}" \
		-device virtio-blk-pci,drive=disk,bootindex=1 \
		-netdev tap,id=lan,ifname=tlan,script=no,downscript=no \
		-device virtio-net-pci,netdev=lan,mac=52:54:00:07:00:01,romfile= \
		"${wan[@]}" "${dog[@]}" -action watchdog=reset \
		-device qemu-xhci,id=usb -rtc base="${RTC:-utc}" \
		-chardev "${CONSOLE:-file,id=console,path=$work/console}" -serial chardev:console \
		-chardev pipe,id=shell,path="$work/shell" "${second_serial[@]}" \
		-chardev pipe,id=mon,path="$work/mon" -mon chardev=mon,mode=control "$@" 2>"$work/qemu.log" &
	qemu=$!
	children+=("$qemu")
	vm_begun=${EPOCHREALTIME/./}
	: >"$work/shell.log"
	cat "$work/shell.out" >"$work/shell.log" &
	children+=($!)
	exec {shell_in}<>"$work/shell.in" {mon_in}<>"$work/mon.in" {mon_out}<>"$work/mon.out"
}

# Milliseconds since vm_start.
vm_ms() { echo $(((${EPOCHREALTIME/./} - vm_begun) / 1000)); }

# The power goes.
vm_kill() {
	kill -KILL "$qemu" 2>/dev/null
	wait "$qemu" 2>/dev/null
	exec {shell_in}>&- {mon_in}>&- {mon_out}>&-
	cat "$work/console" >>"$work/consoles"
	qemu=''
}

# says PATTERN: the console has a line `TARN PATTERN`, since the last `mark`.
mark() { since=$(wc -l <"$work/console"); }
says() { times "$1" >/dev/null; }
# times PATTERN: how often.
times() { tail -n "+$((since + 1))" "$work/console" | grep -cE "^TARN $1"; }
# word PATTERN KEY: the last such line's value of KEY.
word() { grep -E "^TARN $1" "$work/console" | tail -n 1 | tr -d '\r' | grep -oE "(^| )$2=[^ ]*" | tail -n 1 | cut -d = -f 2; }

# runs VERSION KIND: such a system starts, within minutes.
runs() { wait_until "${3:-300}" says "slots running=$1 kind=$2" || { console_show; return 1; }; }
# becomes PATTERN: the console says it, within minutes.
becomes() { wait_until "${2:-300}" says "$1" || { console_show; return 1; }; }

ready_say() {
	echo "# $(vm_ms) ms of the host's time: ready, after $(word ready up_ms) of its own; used $(word ready mem_used_kib) KiB"
}

# within SECONDS PATTERN, by the machine's own clock: the console's line says when. Emulated on a busy host that says nothing, nor
# in the midst of `make test` (DEPS_LOOK).
within() {
	local ms load
	ms=$(word "$2" up_ms)
	load=$(cut -d ' ' -f 1 /proc/loadavg)
	if ((${ms:-999999} <= $1 * 1000)) || [[ -z ${DEPS_LOOK:-} && ${load%.*} -lt $(nproc) ]]; then
		check "... within $1 s (${ms:-?} ms)" test "${ms:-999999}" -le $(($1 * 1000))
	else
		skip "... within $1 s" "the host is busy: ${ms:-?} ms at load $load on $(nproc) cores"
	fi
}
ready_within() { within "$1" ready; }

# plug FILE [slow]: a USB stick, each time under another name. unplug: by the time the box says that it is gone, all that it has
# written is in the file.
plugged=0
plug() {
	local file='"driver":"raw","file":{"driver":"file","filename":"'$1'"}' node
	mark
	node=d$((plugged += 1))
	[[ ${2:-} != slow ]] || file='"driver":"throttle","throttle-group":"slow","file":{'$file'}'
	qmp '{"execute":"blockdev-add","arguments":{"node-name":"'$node'",'"$file"'}}' \
		'{"execute":"device_add","arguments":{"driver":"usb-storage","id":"stick","bus":"usb.0","drive":"'$node'"}}'
}
unplug() {
	qmp '{"execute":"device_del","arguments":{"id":"stick"}}' '{"execute":"blockdev-del","arguments":{"node-name":"d'"$plugged"'"}}'
	wait_until 60 vm '! ls /sys/class/block | grep -q sd'
}

# page_login PASSWORD: the admin page's answer to dev1, as a status.
page_login() {
	in_ns dev1 curl -sk --max-time 30 -o /dev/null -w '%{http_code}\n' -H 'Content-Type: application/json' \
		-d "{\"password\":\"$1\"}" "https://$(box_address)/api/v1/session"
}
page_opens() { [[ $(page_login "$1") == 200 ]]; }
page_refuses() { [[ $(page_login "$1") == 401 ]]; }

# vm COMMAND: in the debug image's shell; prints what it prints, gives its status. 60 s at most.
vm() {
	local mark status
	mark="__${BASHPID}_${EPOCHREALTIME/./}__"
	# The mark is in two parts, so that an echo of the command is not taken for it.
	printf '%s\n' "stty -echo 2>/dev/null; printf '\n%s%s begin\n' '${mark:0:4}' '${mark:4}'; { $1
} </dev/null 2>&1; printf '\n%s%s %s.\n' '${mark:0:4}' '${mark:4}' \$?" >&"$shell_in"
	wait_until "${VM_LIMIT:-60}" grep -qE "^$mark [0-9]+\." "$work/shell.log"
	status=$(sed -nE "s/^$mark ([0-9]+)\..*/\1/p" "$work/shell.log")
	# Without the empty line that is put before the mark.
	sed -n "/^$mark begin/,/^$mark [0-9]/p" "$work/shell.log" | tr -d '\r' | sed -e 1d -e "/^$mark /d" | sed '${/^$/d}'
	return "${status:-124}"
}

# DRIVE for a disk whose every write is recorded (tests/tools/outage.c).
recorded() { # DISK LOG
	local raw=driver=raw,file.driver=file,file.filename=
	echo "driver=blklogwrites,file.${raw//,/,file.}$1,log.${raw//,/,log.}$2"
}

# A disk of SIZE with the image on it.
disk_make() { # IMAGE.zst DISK SIZE
	zstd -q -d -c --sparse "$1" >"$2.full" || return 1
	cp --sparse=always "$2.full" "$2"
	rm -f "$2.full"
	truncate -s "$3" "$2"
}

qmp() { # JSON COMMAND...: each is executed; answers are not read
	local c
	for c in '{"execute":"qmp_capabilities"}' "$@"; do echo "$c"; done >&"$mon_in"
}

# pid1_freeze: pid 1 runs no more; all else does.
pid1_freeze() {
	vm 'mkdir /tmp/groups && mount -t cgroup2 none /tmp/groups && mkdir /tmp/groups/still &&
		echo 1 >/tmp/groups/still/cgroup.procs && echo 1 >/tmp/groups/still/cgroup.freeze'
}

# gdb_ask PACKET: to QEMU's debug stub on descriptor 3; sets `answer`. (Sums and acknowledgements are the protocol's.)
gdb_ask() {
	local i code sum=0
	for ((i = 0; i < ${#1}; i++)); do
		printf -v code %d "'${1:i:1}"
		sum=$((sum + code))
	done
	printf '$%s#%02x' "$1" $((sum % 256)) >&3
	answer=T
	# T: that the machine stands still, for us.
	while [[ $answer == T* ]] && IFS= read -r -t 20 -d '#' answer <&3 && read -r -t 20 -N 2 sum <&3; do
		printf + >&3
		answer=${answer##*\$}
	done
}
# freeze_at: lays "cli; jmp here" where the processor is, if that is in the kernel.
freeze_at() {
	local at i
	gdb_ask g
	# rip is the 17th register, its lowest byte first.
	for ((i = 14; i >= 0; i -= 2)); do at+=${answer:16 * 16 + i:2}; done
	echo "at $at"
	[[ $at == ffffffff* ]] && gdb_ask "M$at,3:faebfe" && [[ $answer == OK ]]
}
# kernel_freeze: nothing runs any more, no interrupt is taken.
kernel_freeze() {
	local i status=1
	qmp '{"execute":"human-monitor-command","arguments":{"command-line":"gdbserver tcp:127.0.0.1:1234"}}'
	for i in {1..50}; do
		in_ns box bash -c "$(declare -f gdb_ask freeze_at)"'
			exec 3<>/dev/tcp/127.0.0.1/1234 || exit 1
			freeze_at
			status=$?
			gdb_ask D
			exit $status' && { status=0; break; }
		read -rt 0.2 <> <(:) || :
	done
	return $status
}

console_show() {
	tail -n 25 "$work/console" | tr -d '\r' | sed 's/^/# /'
}
