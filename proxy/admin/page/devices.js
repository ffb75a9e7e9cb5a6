// SPDX-License-Identifier: Apache-2.0
// The third question: why did this device not get it? Each device with its update state.
import { h, lamp, panel, segmented } from './dom.js';
import { t, num, bytes, ago, exactly, coded } from './i18n.js';
import { get } from './api.js';
import { table } from './table.js';
import { shares } from './plot.js';

// Worst first.
const LAMPS = { failing: 'bad', stale: 'bad', behind: 'warn', unknown: 'off', updating: 'ok', current: 'ok' };
const STATES = Object.keys(LAMPS);
const state = d => d.state ?? 'unknown';
const kept = {};

export default {
	id: 'devices',
	path: 'devices',
	make(context) {
		let list = [], only = kept.only ?? 'all';
		const sum = shares(t('devices.sum'), num);
		const rows = table([
			{ key: 'device', title: t('devices.device'), sort: d => d.name ?? d.address ?? d.device, cell: d => h('span', null, d.name ?? d.address ?? d.device, d.name && h('div', { class: 'under mono' }, d.address)) },
			{ key: 'state', title: t('devices.state'), sort: d => STATES.indexOf(state(d)), cell: d => [h('span', { class: 'tag' }, lamp(LAMPS[state(d)] ?? 'off'), t(`device.${state(d)}`)), d.reason && h('div', { class: 'under' }, coded('reason', d.reason, d.reason))] },
			{ key: 'profile', title: t('devices.profile'), sort: d => d.profile ?? '', cell: d => d.profile ?? '–', hide: true },
			{ key: 'generation', title: t('devices.generation'), num: true, sort: d => d.generation, cell: d => num(d.generation), hide: true },
			{ key: 'updated', title: t('devices.updated'), sort: d => -(d.updated_at ?? 0), cell: d => h('span', { title: exactly(d.updated_at) }, ago(d.updated_at)), hide: true },
			{ key: 'seen', title: t('devices.seen'), sort: d => -(d.seen_at ?? 0), cell: d => h('span', { title: exactly(d.seen_at) }, ago(d.seen_at)) },
			{ key: 'bytes', title: t('devices.bytes'), num: true, sort: d => d.bytes, cell: d => bytes(d.bytes), hide: true },
		], {
			caption: t('view.devices'), order: ['state', 1], remember: kept, empty: t('devices.none'),
			search: d => [d.name, d.address, d.device, d.profile, t(`device.${state(d)}`), d.reason].join(' '),
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
		return h('div', { class: 'stack' }, panel(t('devices.sum'), { id: 'devices-sum' }, sum), panel(t('devices.list'), { id: 'devices-list', note: t('devices.note') }, rows));
	},
};
