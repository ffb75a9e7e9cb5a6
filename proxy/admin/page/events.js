// SPDX-License-Identifier: Apache-2.0
// What happened: the important events, newest first, live where the server has a stream.
import { h, lamp, panel, segmented } from './dom.js';
import { t, num, exactly, ago, coded, known, ours } from './i18n.js';
import { get, stream } from './api.js';
import { table } from './table.js';

const LEVELS = { error: 'bad', crit: 'bad', warn: 'warn', notice: 'ok', info: 'off', debug: 'off' };
const KEEP = 2000;

// The event's own facts: key=value, or key="value" with \" \\ and \xNN in it.
function factsOf(line) {
	const facts = {};
	for (const [, key, quoted, plain] of (line ?? '').matchAll(/([\w.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g))
		facts[key] = quoted === undefined ? plain : quoted.replace(/\\(x[0-9a-f]{2}|.)/g, (_, c) => c.length > 1 ? String.fromCharCode(parseInt(c.slice(1), 16)) : c);
	return facts;
}

// Some events say one of two things.
const VARIANTS = { 'intercept.changed': f => f.armed === '1' ? 'on' : 'off', 'reach.changed': f => f.reachable === '1' ? 'on' : 'off', 'admin.listen': f => f.error === 'none' ? 'on' : 'off', 'store.scrub': f => f.bad === '0' ? 'on' : 'off' };

function words(e) {
	const facts = factsOf(e.text), key = VARIANTS[e.what] ? `${e.what}.${VARIANTS[e.what](facts)}` : e.what;
	if (facts.why_not)
		facts.why_not = coded('whynot', facts.why_not, ours(facts.why_not));
	if (e.what === 'reach.step')
		facts.to = coded('reachstate', facts.to);
	return known(`event.${key}`) ? t(`event.${key}`, facts) : `${e.what} ${e.text ?? ''}`;
}
// What the server adds beside the event's own words: shown as it is.
const details = e => `${e.what} ${e.text ?? ''}`;

// The newest `n` that differ, newest first: [event, how often it is among them all].
export function newest(events, n) {
	const found = new Map();
	for (const e of [...events].reverse()) {
		const key = `${e.what} ${e.text}`;
		found.set(key, [found.get(key)?.[0] ?? e, (found.get(key)?.[1] ?? 0) + 1]);
	}
	return [...found.values()].slice(0, n);
}

export function eventLine(e, times = 1) {
	return h('li', { class: 'event' }, lamp(LEVELS[e.level] ?? 'off'), h('span', null, h('span', { class: 'unseen' }, `${t(`level.${e.level}`)}: `), words(e), times > 1 && h('span', { class: 'chip' }, `×${num(times)}`)),
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
			{ key: 'what', title: t('events.what'), wrap: true, cell: e => [words(e), words(e) !== details(e) && h('div', { class: 'under mono' }, details(e))] },
		], {
			caption: t('view.events'), order: ['at', -1], empty: t('events.none'),
			search: e => `${words(e)} ${details(e)} ${e.level}`,
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
