// SPDX-License-Identifier: Apache-2.0
// What goes on just now: whom the box serves, how fast, and what it fetches for them.
import { h, text, panel } from './dom.js';
import { t, num, bytes, rate, percent, span, coded } from './i18n.js';
import { get } from './api.js';
import { table } from './table.js';

const LIMIT = 500, KEPT = {}, KEPT_FETCHES = {};
const what = f => `${f.host ?? ''}${f.path ?? ''}` || '–';
const moved = f => f.bytes + (f.bytes_up ?? 0);

export default {
	id: 'flows',
	path: 'flows?limit=1',
	make(context) {
		let before = new Map(), at = 0;
		// Bytes a second since the look before; for what is new on average.
		const speed = (f, now) => before.has(f.id) ? (moved(f) - before.get(f.id)) * 1000 / Math.max(1, now - at) : moved(f) * 1000 / Math.max(1, f.age_ms);
		const amounts = [
			{ key: 'speed', title: t('flows.speed'), num: true, sort: f => f.speed, cell: f => rate(f.speed) },
			{ key: 'bytes', title: t('flows.bytes'), num: true, sort: f => moved(f), cell: f => bytes(moved(f)), hide: true },
			{ key: 'done', title: t('flows.done'), num: true, sort: f => f.length ? f.bytes / f.length : -1, cell: f => f.length ? percent(Math.min(1, f.bytes / f.length)) : '–', hide: true },
		];
		const rest = [
			{ key: 'state', title: t('flows.state'), sort: f => f.state, cell: f => coded('flowstate', f.state), hide: 'wider' },
			{ key: 'age', title: t('flows.age'), num: true, sort: f => f.age_ms, cell: f => span(f.age_ms / 1000), hide: 'wider' },
		];
		const named = { key: 'what', title: t('flows.what'), wrap: true, sort: what, cell: f => h('span', { class: 'mono' }, what(f)) };
		const search = f => `${f.device ?? f.address ?? ''} ${f.vendor ?? ''} ${what(f)} ${f.outcome ? coded('flow', f.outcome) : ''}`;
		const flows = table([
			{ key: 'device', title: t('flows.device'), sort: f => f.device ?? '', cell: f => h('span', { class: 'mono' }, f.device ?? '–') }, named, ...amounts,
			{ key: 'outcome', title: t('flows.outcome'), sort: f => f.outcome ?? '', cell: f => f.outcome ? h('span', { class: `chip ${f.outcome === 'hit' ? 'ok' : ''}` }, coded('flow', f.outcome)) : '–', hide: true }, ...rest,
		], { caption: t('flows.list'), order: ['speed', -1], remember: KEPT, search, empty: t('flows.none') });
		const fetches = table([
			{ key: 'from', title: t('flows.from'), sort: f => f.address ?? '', cell: f => h('span', { class: 'mono' }, f.address ?? '–') }, named, ...amounts, ...rest,
		], { caption: t('flows.fetches'), order: ['speed', -1], remember: KEPT_FETCHES, search, empty: t('flows.fetches.none') });
		const sum = h('p', { class: 'note' }), more = h('p', { class: 'note', hidden: true }, t('flows.more'));

		context.every(2000, async signal => {
			const answer = await get(`flows?limit=${LIMIT}`, { signal }), now = performance.now(), all = [...answer.flows, ...answer.fetches];
			for (const f of all)
				f.speed = Math.max(0, speed(f, now));
			before = new Map(all.map(f => [f.id, moved(f)]));
			at = now;
			flows.set(answer.flows);
			fetches.set(answer.fetches);
			text(sum, t('flows.sum', { connections: num(answer.connections), idle: num(answer.idle) }));
			more.hidden = !answer.more;
		});
		return h('div', { class: 'stack' }, panel(t('flows.list'), { id: 'flows-list', note: t('flows.note') }, sum, flows, more),
			panel(t('flows.fetches'), { id: 'flows-fetches', note: t('flows.fetches.note') }, fetches));
	},
};
