# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The README's examples of the API, for the tests that run them; source it. They stand in the blocks of the section
# "Settings, and the API by hand".
readme=$(dirname "${BASH_SOURCE[0]}")/../README.md
readme_section() { sed -n '/^## Settings, and the API by hand/,/^## /p' "$readme"; }

# readme_block FIRST: the block of the section that begins with a line like this.
readme_block() { readme_section | awk -v first="$1" '/^```/ { on = 0 } after && index($0, first) == 1 { on = 1 } { after = /^```sh/ } on'; }

# readme_example SOCKET WORDS [SED]: runs the first example that has these words, changed by SED; prints the answer's status
# and leaves the answer in $readme_said.
readme_said=/dev/null
readme_example() {
	local line
	line=$(readme_section | grep '^tarn ' | grep -F -- "$2" | head -n 1 | sed "${3:-}")
	[[ -n $line ]] || { echo "no example of $2"; return; }
	# shellcheck disable=SC2016 # the inner shell's
	SOCKET=$1 SAID=$readme_said bash -c 'tarn() { curl -sS -o "$SAID" -w "%{http_code}" --max-time 30 --unix-socket "$SOCKET" "$@"; }
		x=http://x/api/v1 json=Content-Type:application/json; '"$line"
}

# readme_verbs: METHOD and path of each example, as the OpenAPI document has them.
readme_verbs() {
	readme_section | grep -E '^[[:space:]]*(curl|tarn|[a-z]+=\$\((tarn|echo)|csrf=)' | sed -E 's/ +#.*//' | while read -r line; do
		[[ $line != 'tarn() '* ]] || continue
		path=$(grep -oE '(http://x|\$box|\$x)/[A-Za-z0-9_./$-]*' <<<"$line" | head -n 1)
		path=${path/#http:\/\/x/} path=${path/#\$box/} path=${path/#\$x/\/api\/v1}
		path=${path/%\/\$id/\/\{id\}} path=${path/%\/repository\/example/\/repository\/\{name\}}
		method=$(grep -oE -- '-X [A-Z]+' <<<"$line" | cut -d ' ' -f 2)
		[[ -n $method || $line != *' -d '* ]] || method=POST
		echo "${method:-GET} $path"
	done | sort -u
}
