// SPDX-License-Identifier: Apache-2.0
// Live figures for who wants them: from the event stream, or where there is none from GET status every two seconds.
// Totals come in, rates go out: {at, toDevices, fromVendor} in bytes a second, kept for five minutes.
import { get, stream, every } from './api.js';

const KEEP_MS = 5 * 60 * 1000;

export function live(onPoint, onEvent) {
	const points = [];
	let last = null, end = null, stopPolling = null, ended = false;

	function total(at, to, from) {
		if (last && at > last.at) {
			const s = (at - last.at) / 1000;
			// Totals fall when the proxy starts anew.
			const point = { at, toDevices: Math.max(0, (to - last.to) / s), fromVendor: Math.max(0, (from - last.from) / s) };
			while (points.length && points[0].at < at - KEEP_MS)
				points.shift();
			points.push(point);
			onPoint(points);
		}
		if (!last || at > last.at)
			last = { at, to, from };
	}
	function poll() {
		stopPolling ??= ended ? null : every(2000, async signal => {
			const s = await get('status', { signal });
			total(Date.now(), s.saved.to_devices, s.saved.from_vendor);
		});
	}
	end = stream('stream', {
		live: d => total(d.at ?? Date.now(), d.to_devices, d.from_vendor),
		event: d => onEvent?.(d),
	}, closed => { if (closed) poll(); });
	return () => {
		ended = true;
		end();
		stopPolling?.();
	};
}
