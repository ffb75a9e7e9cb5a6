# SPDX-License-Identifier: Apache-2.0
# jq -n -f openapi.jq --slurpfile doc OPENAPI --slurpfile value ANSWER --arg path PATH: what in the answer of GET PATH is not
# as the OpenAPI document says, a line each. The part of JSON Schema that ours use; what a schema with properties does
# not name must not be there.
def kind: if type == "number" and . == floor then "integer" else type end;
def is_of($want): kind as $k | any([$want] | flatten | .[]; . == $k or (. == "number" and $k == "integer"));
def resolved: if has("$ref") then (."$ref" | ltrimstr("#/") | split("/")) as $p | $doc[0] | getpath($p) else . end;
def faults($schema; $at):
	. as $v | ($schema | resolved) as $s
	| if $s.type and (is_of($s.type) | not) then "\($at): \(kind), not \($s.type | tojson)"
	elif $s.enum and ($s.enum | index([$v]) | not) then "\($at): \(tojson) is none of \($s.enum | tojson)"
	elif type == "object" then
		(($s.required // [])[] | select(. as $k | $v | has($k) | not) | "\($at).\(.): missing"),
		(if $s.properties then
			keys[] | . as $k
			| if $s.properties | has($k) then $v[$k] | faults($s.properties[$k]; "\($at).\($k)")
			else "\($at).\($k): not described" end
		else empty end)
	elif type == "array" and $s.items then
		to_entries[] | .key as $i | .value | faults($s.items; "\($at)[\($i)]")
	else empty end;
$value[0] | faults($doc[0].paths[$path].get.responses."200".content."application/json".schema; $path)
