# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of common.sh
#
# smbd for the root tree. What it is linked with is taken by `libraries` (tree.sh), as for all programs; with this
# configuration (image/root/usr/share/tarn/smb.conf) it opens no other file of samba's packages: no module of vfs, auth,
# gensec, ldb, idmap or pdb, no table of characters, no Python. So none is in the image, nor nmbd, winbindd, samba-dcerpcd.

# The one library that asks for ICU, and all that it asks for.
icu_user=libsamba-util.so.0
icu_libraries='libicui18n.so.72 libicuuc.so.72'
icu_functions='u_strFromUTF8_72 u_strToUTF8_72 utrans_close_72 utrans_openU_72 utrans_transUChars_72'

# samba_wanted: is it in this build?
samba_wanted() { [[ -x $BUILD/bin/tarn-mount ]] && grep -qx CONFIG_SMB=y "$BUILD/config"; }

# samba ROOT: smbd, and image/noicu.c in the place of ICU, before `libraries`.
samba() {
	local dir=$1/usr/lib/$triplet
	program "$1" samba usr/sbin/smbd
	mkdir -p "$dir"
	noicu "$dir/libicui18n.so.72" -DNOICU_I18N
	noicu "$dir/libicuuc.so.72"
}

noicu() { # FILE [OPTION]
	"${cross}gcc" -std=gnu11 -ffreestanding -Os -Wall -Wextra -Werror -fPIC -shared -nostdlib "${@:2}" \
		-Wl,-soname,"${1##*/}" -Wl,--build-id=none -Wl,-z,relro,-z,now -o "$1" "$here/noicu.c"
	"${cross}strip" --strip-all -R .note.gnu.build-id -R .comment "$1"
}

# samba_check ROOT: after `libraries`, is ICU what noicu.c says, to the last function?
samba_check() {
	local root=$1 users=() file asked needs
	while read -r file; do
		needs=$("${cross}readelf" -d "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(libicu[^]]*\)\]/\1/p' | sort | xargs)
		[[ -n $needs ]] || continue
		[[ $needs == "$icu_libraries" ]] || die "${file##*/} needs $needs; image/noicu.c is $icu_libraries"
		users+=("${file##*/}")
	done < <(find "$root"/usr/{bin,sbin,lib/"$triplet"} -type f)
	[[ ${users[*]} == "$icu_user" ]] || die "ICU is asked for by ${users[*]:-nobody}; image/noicu.c is for $icu_user alone"
	asked=$("${cross}readelf" -W --dyn-syms "$root/usr/lib/$triplet/$icu_user" |
		awk '$7 == "UND" && $8 ~ /_72/ { print $8 }' | sort | xargs)
	[[ $asked == "$icu_functions" ]] || die "$icu_user asks ICU for $asked; image/noicu.c has $icu_functions"
}
