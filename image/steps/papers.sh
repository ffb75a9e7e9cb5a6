# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # variables of common.sh
#
# What goes with the image: the signed update, the bill of materials, the checksums.

# keys: the private key that signs, and its public half, which the image carries.
keys() {
	local key=${IMAGE_KEY:-}
	if [[ -z $key ]]; then
		[[ ${RELEASE:-} != 1 ]] || die 'a release is signed: IMAGE_KEY=FILE (openssl genpkey -algorithm ed25519)'
		key=$cache/development-key.pem
		[[ -f $key ]] || (umask 077 && openssl genpkey -algorithm ed25519 -out "$key")
	fi
	cp "$key" "$work/key"
	chmod 600 "$work/key"
	openssl pkey -in "$key" -pubout -out "$work/key.pub"
}

# update UKI OUT: see firmware/boot/update.h for the form.
update() {
	local head=$work/update.head
	{
		echo 'TARN-UPDATE 1'
		echo "version=$version"
		echo "arch=$kind"
		echo "bytes=$(stat -c %s "$1")"
		echo "sha256=$(sha256sum <"$1" | cut -d ' ' -f 1)"
	} >"$head"
	openssl pkeyutl -sign -inkey "$work/key" -rawin -in "$head" -out "$head.sig"
	{
		cat "$head"
		echo "signature=$(base64 -w 0 "$head.sig")"
		echo
	} >"$2.new"
	truncate -s 4096 "$2.new"
	cat "$1" >>"$2.new"
	mv "$2.new" "$2"
}

# sbom OUT: SPDX 2.3, from the lock: what is in the image or made it, not what is only compiled with.
sbom() {
	awk 'NR == FNR { without[$1]; next } !($1 in without)' <(packages cross) "$used" >"$work/sbom.rows"
	jq -n --arg version "$version" --arg arch "$ARCH" --arg kind "$kind" \
		--arg created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
		--arg image "$(sha256sum <"$work/tarn.efi" | cut -d ' ' -f 1)" --rawfile lock "$work/sbom.rows" '
	def id: gsub("[^A-Za-z0-9.-]"; "-");
	($lock | split("\n") | map(select(. != "") | split(" "))) as $rows |
	{
		spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT",
		name: "tarn-\($version)-\($kind)",
		documentNamespace: "https://spdx.org/spdxdocs/tarn-\($version)-\($kind)-\($image)",
		creationInfo: { created: $created, creators: ["Tool: tarn-image"] },
		packages: ([{
			SPDXID: "SPDXRef-tarn", name: "tarn", versionInfo: $version, downloadLocation: "NOASSERTION",
			filesAnalyzed: false, licenseConcluded: "Apache-2.0", licenseDeclared: "Apache-2.0",
			copyrightText: "NOASSERTION", checksums: [{ algorithm: "SHA256", checksumValue: $image }]
		}] + ($rows | map({
			SPDXID: "SPDXRef-deb-\(.[0] | id)", name: .[0], versionInfo: .[1], supplier: "Organization: Debian",
			downloadLocation: "NOASSERTION", filesAnalyzed: false, licenseConcluded: "NOASSERTION",
			licenseDeclared: "NOASSERTION", copyrightText: "NOASSERTION",
			checksums: [{ algorithm: "SHA256", checksumValue: .[2] }],
			externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
				referenceLocator: "pkg:deb/debian/\(.[0])@\(.[1] | @uri)?arch=\($arch)&distro=bookworm" }]
		}))),
		relationships: ([{ spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: "SPDXRef-tarn" }] +
			($rows | map({ spdxElementId: "SPDXRef-tarn", relationshipType: "CONTAINS",
				relatedSpdxElement: "SPDXRef-deb-\(.[0] | id)" })))
	}' >"$1.new"
	mv "$1.new" "$1"
}

# sums NAME: of all that begins with it.
sums() {
	(cd "$OUT" && sha256sum "$1.img.zst" "$1.update" "$1.spdx.json") >"$OUT/$1.SHA256SUMS.new"
	mv "$OUT/$1.SHA256SUMS.new" "$OUT/$1.SHA256SUMS"
}
