# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What lies beyond the line: the vendor's content and its servers (real nginx, dnsmasq, APT). Sourced by ./run.

# KiB of each object of a full update: a few large bases, many small ones, as update sets are.
SIZES=(16384 12288 8192 6144 4096 2048 1536 1024 768 512 384 256 256 192 128 128 96 64 64 48 32 24 16 12 8 8 4 4)

noise() { # SEED KIB: reproducible bytes that do not compress
	openssl enc -aes-128-ctr -nosalt -pass "pass:$1" -pbkdf2 -iter 1 -in /dev/zero 2>/dev/null |
		head -c "$(($2 * 1024))"
}

index() { # GENERATION: the index names every object with its size and digest
	local file
	echo '<?xml version="1.0" encoding="UTF-8"?>'
	echo "<Update UpdateDate=\"$(date -u +'%d%m%Y %H%M')\" Generation=\"$1\">"
	(cd "$VENDOR/av" && for file in bases/*; do
		echo "  <File Name=\"$file\" Size=\"$(stat -c %s "$file")\" Sha256=\"$(sha256sum <"$file" | cut -d' ' -f1)\"/>"
	done)
	echo '</Update>'
	echo "; $(openssl rand -hex 64)"
}

publish_full() { # the first generation
	local i
	mkdir -p "$VENDOR/av/bases" "$VENDOR/av/index"
	for i in "${!SIZES[@]}"; do
		noise "object $i of generation 1" "${SIZES[i]}" >"$VENDOR/av/bases/base$(printf %03d "$i").avc"
	done
	index 1 >"$VENDOR/av/index/u1313g.xml"
}

publish_next() { # GENERATION: an hour later the daily bases have changed, the large ones have not
	local i file
	for i in 3 5 8 12 17 24; do
		file=$VENDOR/av/bases/base$(printf %03d "$i").avc
		noise "object $i of generation $1" "${SIZES[i]}" >"$file.new"
		mv "$file.new" "$file"
	done
	index "$1" >"$VENDOR/av/index/u1313g.xml.new"
	mv "$VENDOR/av/index/u1313g.xml.new" "$VENDOR/av/index/u1313g.xml"
}

publish_apt() { # a signed repository of real packages, which were fetched while the demo was set up
	local root=$VENDOR/apt home=$WORK/gpg
	mkdir -p "$root/pool" "$root/dists/demo/main/binary-$ARCH"
	cp "$DEBS"/*.deb "$root/pool/"
	(
		cd "$root" || exit 1
		apt-ftparchive packages pool >"dists/demo/main/binary-$ARCH/Packages"
		gzip -kn "dists/demo/main/binary-$ARCH/Packages"
		apt-ftparchive -o APT::FTPArchive::Release::Codename=demo -o APT::FTPArchive::Release::Suite=demo \
			-o APT::FTPArchive::Release::Components=main \
			-o "APT::FTPArchive::Release::Architectures=$ARCH" \
			-o APT::FTPArchive::Release::Acquire-By-Hash=no release dists/demo >"$WORK/Release"
		mv "$WORK/Release" dists/demo/Release
	) || return 1
	mkdir -m 700 "$home"
	gpg --homedir "$home" --batch --quiet --passphrase '' --quick-gen-key 'Tarn demo archive' ed25519 sign 1d 2>/dev/null
	gpg --homedir "$home" --batch --quiet --yes --clearsign -o "$root/dists/demo/InRelease" "$root/dists/demo/Release"
	gpg --homedir "$home" --batch --quiet --export >"$WORK/archive.gpg"
	gpgconf --homedir "$home" --kill all 2>/dev/null
}

start() { # NAME NS COMMAND...: a process of the demo's, ended by its own id
	local name=$1 netns=$2
	shift 2
	ip netns exec "$PREFIX-$netns" "$@" >"$WORK/$name.log" 2>&1 &
	PIDS["$name"]=$!
}

stop() { # NAME [SIGNAL]
	local pid=${PIDS[$1]:-}
	[ -n "$pid" ] || return 0
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	unset "PIDS[$1]"
}

start_nginx() {
	mkdir -p "$WORK/nginx"
	chmod -R a+rX "$VENDOR"
	cat >"$WORK/nginx.conf" <<-CONF
		worker_processes 1;
		daemon off;
		user root;
		pid $WORK/nginx/pid;
		error_log stderr warn;
		events { worker_connections 512; }
		http {
			access_log $WORK/vendor.access;
			sendfile on;
			client_body_temp_path $WORK/nginx/body;
			proxy_temp_path $WORK/nginx/proxy;
			fastcgi_temp_path $WORK/nginx/fastcgi;
			uwsgi_temp_path $WORK/nginx/uwsgi;
			scgi_temp_path $WORK/nginx/scgi;
			types { application/xml xml; }
			default_type application/octet-stream;
			server {
				listen 80 default_server;
				listen [::]:80 default_server;
				server_name s00.av.example s01.av.example;
				root $VENDOR/av;
			}
			server {
				listen 80;
				listen [::]:80;
				server_name deb.example;
				root $VENDOR/apt;
			}
			server {
				listen 80;
				listen [::]:80;
				server_name who.av.example;
				location / { return 200 "\$remote_addr\n"; }
			}
		}
	CONF
	start nginx vendor nginx -c "$WORK/nginx.conf"
}

start_dns() { # NAME ADDRESS: one dnsmasq
	start "$1" "$1" dnsmasq --keep-in-foreground --no-resolv --no-hosts --no-daemon --conf-file=/dev/null \
		--user=root --bind-interfaces --listen-address="$2" --except-interface=lo --local-ttl=5 --log-queries \
		--host-record=s00.av.example,203.0.113.10,2001:db8:100::10,5 \
		--host-record=s01.av.example,203.0.113.11,2001:db8:100::11,5 \
		--host-record=who.av.example,203.0.113.10,5 \
		--host-record=deb.example,203.0.113.20,2001:db8:100::20,5
}
