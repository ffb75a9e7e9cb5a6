// SPDX-License-Identifier: Apache-2.0
// TAP for the browser tests: check(what, f) is ok when f returns without throwing; done() prints the plan.
let n = 0, failed = 0;

export async function check(what, f) {
	const began = Date.now();
	try {
		await f();
		console.log(`ok ${++n} - ${what}`);
		if (Date.now() - began > 2000)
			console.log(`# took ${((Date.now() - began) / 1000).toFixed(1)} s`);
		return true;
	} catch (e) {
		failed++;
		console.log(`not ok ${++n} - ${what}`);
		console.log(String(e.stack ?? e).split('\n').slice(0, 12).map(l => `# ${l}`).join('\n'));
		return false;
	}
}

export function skip(what, why) {
	console.log(`ok ${++n} - ${what} # SKIP ${why}`);
}

export function done() {
	console.log(`1..${n}`);
	process.exitCode = failed ? 1 : 0;
}

// Until f() gives something true; the last error or value is said when it does not in time. Only what is broken takes
// all of the time, so it is long.
export async function until(what, f, ms = 60000) {
	const end = Date.now() + ms;
	let last;
	for (;;) {
		try {
			last = await f();
			if (last)
				return last;
		} catch (e) {
			last = e;
		}
		if (Date.now() > end)
			throw new Error(`waited in vain for ${what}; last: ${last?.message ?? JSON.stringify(last)}`);
		await new Promise(r => setTimeout(r, 50));
	}
}
