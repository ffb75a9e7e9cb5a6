// SPDX-License-Identifier: Apache-2.0
// The first question and the second: is it working, what did it save?
import { h, clear, text, lamp, panel, segmented } from './dom.js';
import { t, num, percent, bytes, rate, span, clock, day, weekday } from './i18n.js';
import { get } from './api.js';
import { judge } from './health.js';
import { live } from './live.js';
import { history, sum } from './history.js';
import { timePlot, shares } from './plot.js';
import { eventLine, newest } from './events.js';

const RANGES = [
	{ id: 'today', ring: 'hour', steps: 24, name: at => clock(at) },
	{ id: 'week', ring: 'day', steps: 7, name: weekday },
	{ id: 'month', ring: 'day', steps: 30, name: day },
];

// What became of requests; several counters may be one part.
const OUTCOMES = [
	['hit', 'c1', ['hit', 'not_modified']], ['revalidated', 'c3', ['revalidated', 'stale']], ['collapsed', 'c4', ['collapsed']],
	['miss', 'c2', ['miss']], ['other', 'c6', ['pass', 'relay', 'foreign']], ['failed', 'c5', ['error', 'refused']],
];

function tile(title) {
	const value = h('span', { class: 'value' }, '–'), under = h('span', { class: 'under' });
	const el = h('div', { class: 'tile-figure' }, h('dt', null, title), h('dd', null, value, h('br'), under));
	el.set = (a, b) => { text(value, a); text(under, b); };
	return el;
}

function light() {
	const el = h('section', { class: 'light', 'aria-label': t('overview.light') });
	let shown = null;
	el.set = (health, status) => {
		const key = JSON.stringify([health, status?.version]);
		if (key === shown)
			return;
		shown = key;
		el.className = `light ${health.state}`;
		clear(el, lamp(health.state), h('div', null, h('p', { class: 'headline' }, health.headline), h('p', { class: 'sub' }, health.sub)),
			health.faults.length > 0 && h('ul', null, health.faults.map((f, i) => h('li', null, i > 0 && h('b', null, f.title), f.todo))));
	};
	return el;
}

const share = (to, from) => to > 0 ? (to - from) / to : null;

function savedPanel() {
	let range = RANGES[0];
	const plot = timePlot([{ key: 'saved', title: t('saved.saved'), class: 'c1' }, { key: 'from_vendor', title: t('saved.line'), class: 'c2' }],
		{ label: t('saved.title'), format: bytes, kind: 'bars', base: 1024, stamp: at => range.name(at) });
	const rings = {};
	function draw() {
		const ring = rings[range.ring];
		if (!ring)
			return;
		const from = Math.max(0, ring.at.length - range.steps), cut = list => (list ?? []).slice(from);
		const to = cut(ring.to_devices), vendor = cut(ring.from_vendor), at = ring.at.slice(from);
		plot.set({ at, saved: to.map((v, i) => Math.max(0, (v ?? 0) - (vendor[i] ?? 0))), from_vendor: vendor },
			{ from: at[0], to: ring.end, width: ring.step });
	}
	const el = panel(t('saved.title'), {
		id: 'saved', extra: segmented(t('saved.range'), RANGES.map(r => [r.id, t(`saved.${r.id}`)]), range.id, id => {
			range = RANGES.find(r => r.id === id);
			draw();
		}),
	}, plot);
	el.set = (name, ring) => { rings[name] = ring; draw(); };
	el.hidden = true;
	return el;
}

function reachList(status) {
	return h('ul', { class: 'lines' }, (status.reach ?? []).map(r => h('li', { class: 'tag' },
		lamp(!r.checked ? 'off' : !r.reachable ? 'bad' : r.via === 'public' ? 'warn' : 'ok'),
		h('span', null, h('b', null, r.vendor), ' ', !r.checked ? t('reach.unchecked') : !r.reachable ? t('reach.cut') : r.via === 'public' ? t('reach.public') : t('reach.ok'),
			' ', h('span', { class: 'under' }, t('reach.since', { span: span(r.since_s) }))))));
}

// What is fetched ahead, or for a slow device, comes before it goes out: then nothing is saved yet.
const showSaved = (el, to, from) => el.set(percent(from > to ? 0 : share(to, from), 1), from > to ? t('saved.none', { from: bytes(from), all: bytes(to) }) : t('saved.of', { saved: bytes(to - from), all: bytes(to) }));

export default {
	id: 'overview',
	make(context) {
		const lights = light();
		const tiles = ['today', 'week', 'month'].map(id => tile(t(`tile.saved.${id}`)));
		const requests = tile(t('tile.requests')), store = tile(t('tile.store')), up = tile(t('tile.uptime'));
		const plot = timePlot([{ key: 'toDevices', title: t('live.devices'), class: 'c1' }, { key: 'fromVendor', title: t('live.vendor'), class: 'c2' }],
			{ label: t('live.title'), format: rate, factor: 8 });
		const outcome = shares(t('outcome.title'), (v, all) => `${num(v)} (${percent(all ? v / all : 0)})`);
		const saved = savedPanel(), reach = h('div'), tls = h('div');
		const log = h('ul', { class: 'lines' }), logPanel = panel(t('view.events'), { id: 'last', extra: h('a', { href: '#events' }, t('overview.all')) }, log);
		logPanel.hidden = true;

		context.every(3000, async signal => {
			let status = null;
			try {
				status = await get('status', { signal });
			} catch (e) {
				if (e.name === 'AbortError')
					return;
			}
			lights.set(judge(status), status);
			if (!status)
				return;
			requests.set(num(status.requests), t('tile.open', { n: num(status.connections), flights: num(status.flights) }));
			store.set(bytes(status.cache.bytes), t('tile.objects', { n: num(status.cache.objects), limit: bytes(status.cache.limit) }));
			up.set(span(status.uptime_s), `Tarn ${status.version}`);
			if (saved.hidden)
				showSaved(tiles[0], status.saved.to_devices, status.saved.from_vendor);
			clear(reach, reachList(status));
			if (status.tls && status.tls.connections)
				clear(tls, h('p', { class: 'note' }, t('overview.tls', { n: num(status.tls.connections), bytes: bytes(status.tls.bytes_down) })));
		});
		context.every(10000, async signal => {
			const { counters } = await get('stat', { signal });
			const value = Object.fromEntries(counters.filter(c => c.name.startsWith('request.')).map(c => [c.name.slice(8), c.value]));
			outcome.set(OUTCOMES.map(([id, cls, names]) => ({ title: t(`outcome.${id}`), class: cls, value: names.reduce((a, n) => a + (value[n] ?? 0), 0) })));
		});
		context.every(60000, async signal => {
			const hours = await history('hour', signal), days = await history('day', signal);
			saved.hidden = false;
			saved.set('hour', hours);
			saved.set('day', days);
			RANGES.forEach((r, i) => {
				const ring = r.ring === 'hour' ? hours : days, to = sum(ring.to_devices, r.steps), from = sum(ring.from_vendor, r.steps);
				showSaved(tiles[i], to, from);
			});
		});
		context.every(15000, async signal => {
			const { events } = await get('events?limit=60', { signal });
			logPanel.hidden = false;
			clear(log, newest(events, 6).map(([e, n]) => eventLine(e, n)));
		});
		context.ending(live(points => {
			const to = points.at(-1).at;
			plot.set({ at: points.map(p => p.at), toDevices: points.map(p => p.toDevices), fromVendor: points.map(p => p.fromVendor) },
				{ from: Math.min(points[0].at, to - 60000), to });
		}));
		return h('div', { class: 'stack' }, lights, h('dl', { class: 'tiles' }, tiles, requests, store, up),
			h('div', { class: 'grid' },
				panel(t('live.title'), { id: 'live' }, plot), saved,
				h('div', { class: 'stack' }, panel(t('outcome.title'), { id: 'outcome' }, outcome, tls), panel(t('reach.title'), { id: 'reach' }, reach)), logPanel));
	},
};
