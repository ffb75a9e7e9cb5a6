# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The origin, Tarn and its peers, each as one would set it up to cache large downloads: one process or thread that serves,
# no access log, content kept on disk where the peer can. Sourced by ./run.
#
# server_NAME prepares $WORK/NAME and prints the command line; port_of NAME says where it listens.

PORT_BASE=${PORT_BASE:-28380}
declare -A PORT=([origin]=$PORT_BASE [floor]=$((PORT_BASE + 1)) [tarn]=$((PORT_BASE + 2)) [nginx]=$((PORT_BASE + 3))
	[varnish]=$((PORT_BASE + 4)) [squid]=$((PORT_BASE + 5)) [ats]=$((PORT_BASE + 6)))
# shellcheck disable=SC2034 # for ./report
declare -A TITLE=([origin]=direct [floor]="floor program" [tarn]=Tarn [nginx]="nginx" [varnish]="Varnish" [squid]="Squid" [ats]="Traffic Server")
declare -A COMMANDS=() PIDS=()

version_of() {
	case $1 in
	nginx) nginx -v 2>&1 | sed 's/.*nginx.//' ;;
	varnish) varnishd -V 2>&1 | sed -n '1s/.*varnish-\([0-9.]*\).*/\1/p' ;;
	squid) squid -v | sed -n '1s/.*Version //p' ;;
	ats) traffic_server -V | sed -n '1s/Traffic Server \([0-9.]*\).*/\1/p' ;;
	tarn) git describe --always --dirty 2>/dev/null || echo '?' ;;
	*) echo - ;;
	esac
}

path_of() { # SERVER PATH: Tarn's update source names the vendor first
	case $1 in
	tarn) echo "/bench$2" ;;
	*) echo "$2" ;;
	esac
}

nginx_common() { # DIR
	cat <<-CONF
		daemon off;
		worker_processes 1;
		user root;
		pid $1/pid;
		error_log $1/error.log warn;
		events { worker_connections 16384; }
		http {
			access_log off;
			sendfile on;
			tcp_nopush on;
			keepalive_requests 100000000;
			keepalive_timeout 600;
			client_body_temp_path $1/t1;
			proxy_temp_path $1/t2;
			fastcgi_temp_path $1/t3;
			uwsgi_temp_path $1/t4;
			scgi_temp_path $1/t5;
	CONF
}

server_origin() {
	mkdir -p "$WORK/origin"
	# /4k, /256k, /32m: the files. The others are as many different objects as one asks for; /line/N at 1 Gbit/s, /herd/N
	# at 4 MiB/s.
	{
		nginx_common "$WORK/origin"
		cat <<-CONF
				log_format brief '\$request_method \$uri';
				server {
					listen 127.0.0.1:${PORT[origin]} backlog=4096;
					root $WORK/files;
					default_type application/octet-stream;
					access_log $WORK/origin/all.log brief;
					add_header Cache-Control "max-age=86400";
					location /miss/ { alias $WORK/files/; try_files 256k =404; }
					location /cold/ { alias $WORK/files/; try_files 64m =404; }
					location /line/ { alias $WORK/files/; try_files 64m =404; limit_rate 119m; }
					location /herd/ {
						alias $WORK/files/;
						try_files 8m =404;
						limit_rate 4m;
						access_log $WORK/origin/herd.log brief;
					}
				}
			}
		CONF
	} >"$WORK/origin/nginx.conf"
	echo nginx -c "$WORK/origin/nginx.conf"
}

server_floor() { echo "$BUILD/tests/bench/floor" "${PORT[floor]}" "$WORK/files"; }

server_nginx() {
	mkdir -p "$WORK/nginx"
	{
		nginx_common "$WORK/nginx"
		cat <<-CONF
				proxy_cache_path $WORK/nginx/cache levels=1:2 keys_zone=c:64m max_size=8g inactive=1d use_temp_path=off;
				open_file_cache max=10000 inactive=1h;
				upstream origin { server 127.0.0.1:${PORT[origin]}; keepalive 64; }
				server {
					listen 127.0.0.1:${PORT[nginx]} backlog=4096;
					location / {
						proxy_pass http://origin;
						proxy_http_version 1.1;
						proxy_set_header Connection "";
						proxy_cache c;
						proxy_cache_lock on;
						proxy_cache_lock_timeout 1h;
						proxy_cache_lock_age 1h;
					}
				}
			}
		CONF
	} >"$WORK/nginx/nginx.conf"
	echo nginx -c "$WORK/nginx/nginx.conf"
}

server_varnish() {
	mkdir -p "$WORK/varnish"
	echo varnishd -F -n "$WORK/varnish" -a "127.0.0.1:${PORT[varnish]}" -b "127.0.0.1:${PORT[origin]}" \
		-s "file,$WORK/varnish/store,4g" -p thread_pools=1 -p thread_pool_min=100 -p thread_pool_max=1000 \
		-p default_ttl=86400
}

server_squid() {
	mkdir -p "$WORK/squid/cache"
	chown -R proxy "$WORK/squid"
	cat >"$WORK/squid/squid.conf" <<-CONF
		http_port 127.0.0.1:${PORT[squid]} accel defaultsite=127.0.0.1 no-vhost
		cache_peer 127.0.0.1 parent ${PORT[origin]} 0 no-query originserver no-digest name=origin
		cache_peer_access origin allow all
		http_access allow all
		cache_dir aufs $WORK/squid/cache 8192 16 256
		cache_mem 512 MB
		maximum_object_size 1 GB
		maximum_object_size_in_memory 1 MB
		collapsed_forwarding on
		access_log none
		cache_log $WORK/squid/cache.log
		cache_store_log none
		pid_filename $WORK/squid/pid
		workers 1
		shutdown_lifetime 1 seconds
		max_filedescriptors 16384
		pinger_enable off
	CONF
	squid -N -z -f "$WORK/squid/squid.conf" >"$WORK/squid/z.log" 2>&1
	echo squid -N -f "$WORK/squid/squid.conf"
}

server_ats() {
	local root=$WORK/ats
	mkdir -p "$root"
	chmod 777 "$root"
	traffic_layout init --force --path "$root" --copy-style=SOFT >/dev/null 2>&1 || return 1
	local etc
	etc=$(sed -n 's/^sysconfdir: *//p' "$root/runroot.yaml")
	echo "map / http://127.0.0.1:${PORT[origin]}/" >"$etc/remap.config"
	mkdir -p "$root/store"
	echo "$root/store 4G" >"$etc/storage.config"
	cat >"$etc/records.config" <<-CONF
		CONFIG proxy.config.http.server_ports STRING ${PORT[ats]}:ip-in=127.0.0.1
		CONFIG proxy.config.exec_thread.autoconfig.enabled INT 0
		CONFIG proxy.config.exec_thread.limit INT 1
		CONFIG proxy.config.accept_threads INT 0
		CONFIG proxy.config.task_threads INT 1
		CONFIG proxy.config.cache.ram_cache.size INT 512M
		CONFIG proxy.config.cache.ram_cache_cutoff INT 64M
		CONFIG proxy.config.http.cache.http INT 1
		CONFIG proxy.config.http.cache.required_headers INT 0
		CONFIG proxy.config.cache.enable_read_while_writer INT 1
		CONFIG proxy.config.http.cache.open_write_fail_action INT 5
		CONFIG proxy.config.http.background_fill_active_timeout INT 0
		CONFIG proxy.config.http.background_fill_completed_threshold FLOAT 0.0
		CONFIG proxy.config.http.insert_response_via_str INT 0
		CONFIG proxy.config.log.logging_enabled INT 0
		CONFIG proxy.config.url_remap.pristine_host_hdr INT 0
		CONFIG proxy.config.reverse_proxy.enabled INT 1
		CONFIG proxy.config.diags.debug.enabled INT 0
		CONFIG proxy.config.admin.user_id STRING #-1
	CONF
	echo env "TS_RUNROOT=$root/runroot.yaml" traffic_server
}

server_tarn() {
	mkdir -p "$WORK/tarn/cache" "$WORK/tarn/vendors"
	cat >"$WORK/tarn/vendors/bench.conf" <<-CONF
		[vendor]
		name = bench
		title = The benchmark's origin
		source = localhost:${PORT[origin]}
		[hosts]
		exact = localhost
	CONF
	cat >"$WORK/tarn/tarn.conf" <<-CONF
		[proxy]
		workers = ${TARN_WORKERS:-1}
		listen = 127.0.0.1:${PORT[tarn]}
		admin_socket = $WORK/tarn/admin.sock
		max_connections = 20000
		# As to devices on other machines, which the load generator stands for.
		sendfile = yes
		[cache]
		path = $WORK/tarn/cache
		size = 8G
		[steer]
		allow_private_vendor = yes
		[vendors]
		dir = $WORK/tarn/vendors
	CONF
	# As root it becomes nobody.
	chmod 777 "$WORK/tarn" "$WORK/tarn/cache"
	echo "$BUILD/bin/tarn-proxy" --config "$WORK/tarn/tarn.conf"
}

prepare() { # NAME
	COMMANDS[$1]=$("server_$1") || die "$1 could not be set up"
}

launch() { # NAME CPU: runs it there and waits until its port answers
	local name=$1 cpu=$2 deadline=$((SECONDS + 30))
	(exec 3<>"/dev/tcp/127.0.0.1/${PORT[$name]}") 2>/dev/null && die "port ${PORT[$name]} is in use: $name can't have it"
	# shellcheck disable=SC2086
	taskset -c "$cpu" setsid ${COMMANDS[$name]} >"$WORK/$name.log" 2>&1 &
	PIDS[$name]=$!
	until (exec 3<>"/dev/tcp/127.0.0.1/${PORT[$name]}") 2>/dev/null; do
		kill -0 "${PIDS[$name]}" 2>/dev/null || die "$name ended: $(tail -n 3 "$WORK/$name.log")"
		[ "$SECONDS" -lt "$deadline" ] || die "$name does not answer: $(tail -n 3 "$WORK/$name.log")"
		read -rt 0.005 <>"$WORK/tick" || :
	done
}

start() { # NAME CPU
	prepare "$1"
	launch "$1" "$2"
}

family() { # NAME: its process and all that it started (they share the session that setsid made)
	ps -o pid= -s "${PIDS[$1]}" 2>/dev/null
}

stop() { # NAME [SIGNAL]: by their own ids, and waits for the first
	local name=$1 pids
	[ -n "${PIDS[$name]:-}" ] || return 0
	pids=$(family "$name")
	# shellcheck disable=SC2086
	kill "-${2:-TERM}" $pids 2>/dev/null
	wait "${PIDS[$name]}" 2>/dev/null
	unset "PIDS[$name]"
}

cpu_us() { # NAME: CPU that it has used so far, user and system, in microseconds
	local pid
	for pid in $(family "$1"); do
		sed 's/^.*) //' "/proc/$pid/stat" 2>/dev/null
	done | awk -v hz="$(getconf CLK_TCK)" '{ sum += $12 + $13 } END { printf "%d", sum * 1000000 / hz }'
}

anonymous_kib() { # NAME
	local pid
	for pid in $(family "$1"); do
		grep -s '^RssAnon' "/proc/$pid/status"
	done | awk '{ sum += $2 } END { print sum + 0 }'
}
