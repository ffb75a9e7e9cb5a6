# SPDX-License-Identifier: Apache-2.0
# Prints what `make help` shows: headings are `##@ text`, entries `target: ... ## text`. An entry
# whose text begins with `[file]` is shown only when that file (or one of that pattern) is there.
/^##@ / {
	heading = substr($0, 5)
}
/^[a-z][a-z0-9 -]*:.*## / {
	text = $0
	sub(/.*## /, "", text)
	if (match(text, /^\[[^]]+\] /)) {
		file = substr(text, 2, RLENGTH - 3)
		if (system("ls " file " >/dev/null 2>&1") != 0)
			next
		text = substr(text, RLENGTH + 1)
	}
	if (heading != "")
		printf "\n%s\n", heading
	heading = ""
	sub(/:.*/, "")
	printf "  make %-14s %s\n", $0, text
}
