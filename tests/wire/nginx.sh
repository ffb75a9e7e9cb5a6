# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A real nginx for a test; source it.

# nginx_start DIR: one process, as whoever runs the test, with what comes from stdin in its http block; sets `nginx`, its
# process id. DIR gets nginx.conf, nginx.log (its errors) and nginx/ (what it puts aside).
nginx_start() {
	mkdir -p "$1/nginx"
	{
		printf 'pid %s/nginx.pid;\nerror_log stderr;\nevents { worker_connections 256; }\nhttp {\n' "$1"
		printf '%s_temp_path '"$1"'/nginx;\n' client_body proxy fastcgi uwsgi scgi
		cat
		echo '}'
	} >"$1/nginx.conf"
	/usr/sbin/nginx -e stderr -p "$1" -c "$1/nginx.conf" -g 'daemon off; master_process off;' 2>"$1/nginx.log" &
	# shellcheck disable=SC2034 # who sources this reads it
	nginx=$!
}
