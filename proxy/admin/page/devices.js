// SPDX-License-Identifier: Apache-2.0
// The third question: why did this device not get it? Each device with its update state.
import { h, lamp, panel, segmented } from './dom.js';
import { t, num, bytes, ago, exactly, generation } from './i18n.js';
import { get } from './api.js';
import { table } from './table.js';
import { shares } from './plot.js';
import { whyPanel } from './why.js';

// Worst first.
const LAMPS = { failing: 'bad', stale: 'bad', behind: 'warn', unknown: 'off', apart: 'off', updating: 'ok', current: 'ok' };
const STATES = Object.keys(LAMPS);
const state = d => d.state ?? 'unknown';
const kept = {};

// The server's reason in the reader's words, from its figures.
function reasonOf(d) {
	if (d.note)
		return t(`devicewhy.${d.note}`);
	if (!d.updated_at)
		return t(state(d) === 'failing' ? 'devicewhy.failing' : 'devicewhy.noindex');
	if (d.behind)
		return t('devicewhy.behind', { n: num(d.behind), hours: num(d.behind_hours, 1) });
	if (d.objects_have < d.objects_of)
		return t('devicewhy.partial', { n: num(d.objects_have), of: num(d.objects_of) });
	return state(d) === 'unknown' ? t('devicewhy.nogeneration') : '';
}

// Its card, and what [scope] says of it.
const linkOf = d => [d.mac && h('span', { class: 'mono' }, d.mac), d.vlan ? ` ${t('devices.vlan', { n: String(d.vlan) })}` : null];
const scopeOf = d => [d.straight && h('span', { class: 'chip warn', title: t('devices.straight.note') }, t('devices.straight')), d.ahead === false && h('span', { class: 'chip', title: t('devices.notahead.note') }, t('devices.notahead'))];

export default {
	id: 'devices',
	path: 'devices',
	make(context) {
		let list = [], only = kept.only ?? 'all';
		const why = whyPanel({ devices: true });
		const sum = shares(t('devices.sum'), num);
		const rows = table([
			{ key: 'device', title: t('devices.device'), sort: d => d.name ?? d.address ?? d.device, cell: d => h('span', null, d.name ?? d.address ?? d.device, d.name && h('div', { class: 'under mono' }, d.address), h('div', { class: 'under' }, linkOf(d)), scopeOf(d)) },
			{ key: 'state', title: t('devices.state'), sort: d => STATES.indexOf(state(d)), cell: d => [h('span', { class: 'tag' }, lamp(LAMPS[state(d)] ?? 'off'), t(`device.${state(d)}`)), h('div', { class: 'under reason' }, reasonOf(d))] },
			{ key: 'profile', title: t('devices.profile'), sort: d => d.profile ?? '', cell: d => d.profile ?? '–', hide: true },
			{ key: 'generation', title: t('devices.generation'), num: true, sort: d => d.generation, cell: d => generation(d.generation), hide: 'wider' },
			{ key: 'updated', title: t('devices.updated'), sort: d => -(d.updated_at ?? 0), cell: d => h('span', { title: exactly(d.updated_at) }, ago(d.updated_at)), hide: true },
			{ key: 'seen', title: t('devices.seen'), sort: d => -(d.seen_at ?? 0), cell: d => h('span', { title: exactly(d.seen_at) }, ago(d.seen_at)) },
			{ key: 'bytes', title: t('devices.bytes'), num: true, sort: d => d.bytes, cell: d => bytes(d.bytes), hide: true },
			{ key: 'why', title: h('span', { class: 'unseen' }, t('why.title')), cell: d => h('button', { type: 'button', class: 'plain', 'aria-label': `${t('why.title')} ${d.name ?? d.address ?? d.device}`, onclick: () => why.ask(d.address ?? d.device) }, t('why.title')) },
		], {
			caption: t('view.devices'), order: ['state', 1], remember: kept, empty: t('devices.none'),
			search: d => [d.name, d.address, d.device, d.profile, d.mac, t(`device.${state(d)}`), reasonOf(d), d.straight && t('devices.straight')].join(' '),
			filters: segmented(t('devices.state'), [['all', t('devices.all')], ['not', t('devices.not')]], only, v => { only = kept.only = v; draw(); }),
		});
		function draw() {
			rows.set(only === 'all' ? list : list.filter(d => LAMPS[state(d)] === 'warn' || LAMPS[state(d)] === 'bad'));
			const n = s => list.filter(d => LAMPS[state(d)] === s).length;
			sum.set([['ok', 'c3'], ['warn', 'c2'], ['bad', 'c5'], ['off', 'c6']].map(([s, cls]) => ({ title: t(`devices.sum.${s}`), class: cls, value: n(s) })));
		}
		context.every(5000, async signal => {
			list = (await get('devices', { signal })).devices;
			draw();
		});
		return h('div', { class: 'stack' }, panel(t('devices.sum'), { id: 'devices-sum' }, sum), panel(t('devices.list'), { id: 'devices-list', note: t('devices.note') }, rows), why);
	},
};
