// SPDX-License-Identifier: Apache-2.0
// Kept history, as plots want it: GET history?ring=... becomes {at: [ms...], NAME: [values...]}.
import { get } from './api.js';

export async function history(ring, signal) {
	const answer = await get(`history?ring=${ring}`, { signal });
	const step = answer.step_s * 1000, names = Object.keys(answer.series), n = names.length ? answer.series[names[0]].length : 0;
	const start = answer.end - n * step;
	return { step, end: answer.end, start, at: Array.from({ length: n }, (_, i) => start + i * step), ...answer.series };
}

export const sum = (list, last = list?.length ?? 0) => (list ?? []).slice(-last).reduce((a, v) => a + (v ?? 0), 0);
