# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of common.sh
#
# From packages to the root file system: unpacking, the kernel's modules, the files of the root tree, squashfs.

# unpack: each package into pkg/NAME, unless it is there from this very .deb.
unpack() {
	local name sum
	mkdir -p "$work/pkg"
	while read -r name _ sum; do
		case $name in linux-image-*) echo "${name#linux-image-}" >"$work/kernel.release"; name=linux-image ;; esac
		[[ ! -f $work/pkg/$name.sum || $(<"$work/pkg/$name.sum") != "$sum" ]] || continue
		rm -rf "${work:?}/pkg/$name" "$work/pkg/$name.sum"
		mkdir "$work/pkg/$name"
		dpkg-deb -x "$debs/$sum.deb" "$work/pkg/$name"
		echo "$sum" >"$work/pkg/$name.sum"
	done <"$used"
	release=$(<"$work/kernel.release")
}

# module_list: paths (below kernel/) of those that modules.txt (modules-qemu.txt) means, with their dependencies.
module_list() {
	local from=$work/pkg/linux-image/lib/modules/$release
	[[ -f $from/modules.dep ]] || depmod -b "$work/pkg/linux-image" "$release"
	awk -v arch="$ARCH" '!/^#/ && NF && ($2 == "" || $2 == arch) { print $1 }' "$here/modules$board.txt" \
		>"$work/modules.want"
	awk -F'[: ]+' '
	FILENAME == ARGV[1] { want[$1]; next }
	{
		path = $1
		for (i = 2; i <= NF; i++) if ($i != "") dep[path] = dep[path] " " $i
		for (w in want) if (index(path, "kernel/" w "/") == 1 || index(path, "kernel/" w) == 1) { roots[path]; break }
	}
	function take(p,   d, n, i) {
		if (p in taken) return
		taken[p]
		n = split(dep[p], d, " ")
		for (i = 1; i <= n; i++) take(d[i])
	}
	END { for (r in roots) take(r); for (t in taken) print t }' "$work/modules.want" "$from/modules.dep" | sort
}

# kernel_modules ROOT: those files and their indexes.
kernel_modules() {
	local from=$work/pkg/linux-image/lib/modules/$release to=$1/usr/lib/modules/$release
	mkdir -p "$to"
	cp "$from"/modules.{order,builtin,builtin.modinfo} "$to/"
	module_list >"$work/modules"
	(cd "$from" && cpio --quiet -pdm "$to" <"$work/modules" 2>/dev/null)
	depmod -b "$1/usr" -m /lib/modules "$release" 2>/dev/null || depmod -b "$1" "$release"
	rm -f "$to"/modules.{dep,alias,symbols,builtin.alias} "$to/modules.order" # the .bin ones are read
	say KERNEL "$release, $(wc -l <"$work/modules") modules"
}

# libraries ROOT FILE...: everything that these need, and what that needs, from the packages. Samba's own stay in their
# folder, which is where those that need them look; what is in the root tree already stays as it is.
libraries() {
	local root=$1 todo=("${@:2}") need from to
	local -A seen=()
	while ((${#todo[@]})); do
		local next=()
		for need in $("${cross}readelf" -d "${todo[@]}" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u); do
			[[ -z ${seen[$need]:-} ]] || continue
			seen[$need]=1
			[[ ! -e $root/usr/lib/$triplet/$need ]] || continue
			from=$(find "$work"/pkg/*/{lib,usr/lib}/"$triplet"{,/samba} -maxdepth 1 -name "$need" 2>/dev/null | head -n 1 || :)
			[[ -n $from ]] || die "no package of packages.txt has $need"
			to=$root/usr/lib/$triplet/$need
			[[ $from != */samba/* ]] || to=$root/usr/lib/$triplet/samba/$need
			install -D -m 755 "$(realpath "$from")" "$to"
			next+=("$to")
		done
		todo=("${next[@]}")
	done
}

# program ROOT PACKAGE PATH...: from a package to the same folder below usr.
program() {
	local root=$1 package=$2 p
	shift 2
	for p; do
		install -D -m 755 "$work/pkg/$package/$p" "$root/usr/${p#usr/}"
	done
}

# Our own programs: without what names the folder they were built in.
own_program() { # ROOT FROM TO
	install -D -m 755 "$2" "$1/$3"
	"${cross}strip" --strip-all -R .note.gnu.build-id -R .comment "$1/$3"
}

root_links() { # ROOT
	local root=$1 a
	mkdir -p "$root"/{dev,proc,sys,run,tmp,state,boot,esp,etc,var/{lib,cache/tarn},root,usr/{bin,sbin,lib/dhcpcd,lib64}}
	for a in bin sbin lib lib64; do ln -s "usr/$a" "$root/$a"; done
	ln -s ../run "$root/var/run"
	ln -s ../state/log "$root/var/log"
	ln -s ../../state/lib "$root/var/lib/tarn"
	ln -s ../state/etc "$root/etc/tarn"
	ln -s ../../run/openntpd "$root/var/lib/openntpd"
	ln -s ../../run/dhcpcd "$root/var/lib/dhcpcd"
	ln -s ../state/ssh "$root/root/.ssh"
	ln -s ../run/resolv.conf "$root/etc/resolv.conf"
	ln -s ../run/share/hosts.allow "$root/etc/hosts.allow"
	ln -s ../proc/self/mounts "$root/etc/mtab"
	for a in $(<"$here/root/applets"); do ln -s busybox "$root/usr/bin/$a"; done
	ln -s ../bin/kmod "$root/usr/sbin/modprobe"
	ln -s ../bin/kmod "$root/usr/bin/lsmod"
}

# os_release: the boot loader reads the one of the unified kernel image, and sorts by its version.
os_release() {
	cat <<-END
		ID=tarn
		NAME=Tarn
		PRETTY_NAME="Tarn $version"
		VERSION_ID=$version
		IMAGE_ID=tarn
		IMAGE_VERSION=$version
		TARN_ARCH=$kind
		TARN_BUILT=$SOURCE_DATE_EPOCH
	END
}

root_text() { # ROOT
	local root=$1
	cp -r "$here/root/etc" "$here/root/usr" "$root/"
	chmod -R u=rwX,go=rX "$root/etc" "$root/usr"
	chmod 755 "$root"/usr/lib/tarn/*
	find "$work/pkg/ca-certificates/usr/share/ca-certificates/mozilla" -name '*.crt' | sort |
		xargs cat >"$work/ca.new"
	install -D -m 644 "$work/ca.new" "$root/etc/ssl/certs/ca-certificates.crt"
	mkdir -p "$root/usr/lib/ssl"
	ln -s ../../../etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
	ln -s ../../../etc/ssl/certs "$root/usr/lib/ssl/certs"
	install -D -m 644 "$work/pkg/e2fsprogs/etc/mke2fs.conf" "$root/etc/mke2fs.conf"
	os_release >"$root/usr/lib/os-release"
	ln -s ../usr/lib/os-release "$root/etc/os-release"
}

root_tree() {
	local root=$work/root.new p mount=''
	[[ ! -x $BUILD/bin/tarn-mount ]] || mount=yes
	rm -rf "$work/root.new" "$work/root"
	root_links "$root"
	program "$root" busybox bin/busybox
	program "$root" kmod bin/kmod
	program "$root" e2fsprogs sbin/e2fsck sbin/mke2fs sbin/resize2fs
	program "$root" dosfstools sbin/fsck.fat sbin/mkfs.fat
	program "$root" openntpd usr/sbin/ntpd
	program "$root" dhcpcd-base usr/sbin/dhcpcd
	program "$root" dropbear-bin usr/sbin/dropbear usr/bin/dropbearkey
	for p in tarnd tarn-proxy tarnctl ${mount:+tarn-mount}; do own_program "$root" "$BUILD/bin/$p" "usr/bin/$p"; done
	[[ -z $mount ]] || program "$root" vsftpd usr/sbin/vsftpd
	! samba_wanted || samba "$root"
	own_program "$root" "$BUILD/boot/tarn-init" usr/sbin/init
	install -D -m 644 -t "$root/usr/share/tarn/vendors" "$top"/firmware/vendors/*.conf
	root_text "$root"
	install -m 755 "$top/firmware/systemd/drive" "$root/usr/lib/tarn/drive"
	install -D -m 644 "$work/key.pub" "$root/usr/share/tarn/keys/build.pem"
	[[ -z ${IMAGE_KEYS:-} ]] || install -m 644 -t "$root/usr/share/tarn/keys" "$IMAGE_KEYS"/*.pem
	mapfile -t p < <(find "$root/usr/bin" "$root/usr/sbin" -type f)
	install -D -m 755 "$work/pkg/libgcc-s1/lib/$triplet/libgcc_s.so.1" "$root/usr/lib/$triplet/libgcc_s.so.1"
	libraries "$root" "${p[@]}"
	! samba_wanted || samba_check "$root"
	install -D -m 755 "$(realpath "$work/pkg/libc6/lib/$triplet/$(basename "$loader")")" "$root/usr/$loader"
	kernel_modules "$root"
	mv "$root" "$work/root"
	say ROOT "$(du -sm "$work/root" | cut -f 1) MiB in $(find "$work/root" -type f | wc -l) files"
}

squash() {
	local level=15
	[[ ${IMAGE_FAST:-} != 1 ]] || level=6
	rm -f "$work/root.squashfs" "$work/root.squashfs.new"
	mksquashfs "$work/root" "$work/root.squashfs.new" -comp zstd -Xcompression-level $level -b 256K \
		-all-root -noappend -no-xattrs -no-progress -quiet -exit-on-error >/dev/null
	mv "$work/root.squashfs.new" "$work/root.squashfs"
	say SQUASH "$(stat -c %s "$work/root.squashfs") bytes"
}
