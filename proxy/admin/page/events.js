// SPDX-License-Identifier: Apache-2.0
// What happened: the important events, newest first, live where the server has a stream.
import { h, lamp, panel, segmented } from './dom.js';
import { t, exactly, ago, coded } from './i18n.js';
import { get, stream } from './api.js';
import { table } from './table.js';

const LEVELS = { error: 'bad', crit: 'bad', warn: 'warn', notice: 'ok', info: 'off', debug: 'off' };
const KEEP = 2000;

const words = e => coded('event', e.what, e.text ?? e.what);
// What the server adds beside the event's own words: shown as it is.
const details = e => [e.text && e.text !== words(e) ? e.text : null,
	...Object.entries(e.fields ?? {}).map(([k, v]) => `${k}=${v}`)].filter(Boolean).join(' ');

export function eventLine(e) {
	return h('li', { class: 'event' }, lamp(LEVELS[e.level] ?? 'off'), h('span', null, h('span', { class: 'unseen' }, `${t(`level.${e.level}`)}: `), words(e)),
		h('time', { class: 'under', datetime: new Date(e.at).toISOString(), title: exactly(e.at) }, ago(e.at)));
}

export default {
	id: 'events',
	path: 'events?limit=1',
	make(context) {
		let list = [], floor = 'all';
		const rows = table([
			{ key: 'at', title: t('events.at'), sort: e => e.id ?? e.at, num: false, cell: e => h('time', { datetime: new Date(e.at).toISOString(), title: ago(e.at) }, exactly(e.at)) },
			{ key: 'level', title: t('events.level'), sort: e => Object.keys(LEVELS).indexOf(e.level), cell: e => h('span', { class: 'tag' }, lamp(LEVELS[e.level] ?? 'off'), t(`level.${e.level}`)) },
			{ key: 'what', title: t('events.what'), wrap: true, cell: e => [words(e), h('div', { class: 'under mono' }, details(e))] },
		], {
			caption: t('view.events'), order: ['at', -1], empty: t('events.none'),
			search: e => `${words(e)} ${details(e)} ${e.what} ${e.level}`,
			filters: segmented(t('events.level'), [['all', t('events.every')], ['warn', t('events.warnings')]], floor, v => { floor = v; draw(); }),
		});
		function draw() {
			rows.set(floor === 'all' ? list : list.filter(e => LEVELS[e.level] === 'bad' || LEVELS[e.level] === 'warn'));
		}
		function add(more) {
			const seen = new Set(list.map(e => e.id));
			list = [...list, ...more.filter(e => !seen.has(e.id))].slice(-KEEP);
			draw();
		}
		context.every(10000, async signal => {
			add((await get(`events?limit=500${list.length ? `&after=${list.at(-1).id}` : ''}`, { signal })).events);
		});
		context.ending(stream('stream', { event: e => add([e]) }));
		return panel(t('events.title'), { id: 'events', note: t('events.note') }, rows);
	},
};
