// SPDX-License-Identifier: Apache-2.0
// The way out: can the vendors be reached, by which resolvers, how fast, and how was it before?
import { h, clear, lamp, panel } from './dom.js';
import { t, num, span, coded, clock } from './i18n.js';
import { get } from './api.js';
import { history } from './history.js';
import { timePlot } from './plot.js';
import { table } from './table.js';

const COUNTERS = ['upstream.connects', 'upstream.connect_failures', 'upstream.reused', 'upstream.retries', 'upstream.timeout_connect', 'upstream.timeout_first_byte', 'upstream.timeout_idle', 'upstream.bad_response', 'upstream.address_rested',
	'dns.lookups', 'dns.cache_hits', 'dns.failures', 'dns.stale_used', 'dns.hijacked', 'reach.probes', 'reach.probe_failures', 'reach.switch_to_public', 'reach.switch_to_system'];

const stateOf = r => !r.checked ? 'off' : !r.reachable ? 'bad' : r.via === 'public' ? 'warn' : 'ok';
const wordsOf = r => t(!r.checked ? 'reach.unchecked' : !r.reachable ? 'reach.cut' : r.via === 'public' ? 'reach.public' : 'reach.ok');

export default {
	id: 'upstream',
	make(context) {
		const vendors = table([
			{ key: 'vendor', title: t('reach.vendor'), sort: r => r.vendor, cell: r => h('b', null, r.vendor) },
			{ key: 'state', title: t('reach.state'), sort: r => stateOf(r), cell: r => h('span', { class: 'tag' }, lamp(stateOf(r)), wordsOf(r)) },
			{ key: 'via', title: t('reach.via'), cell: r => [t(`via.${r.via}`), r.resolver && h('span', { class: 'mono' }, ` ${r.resolver}`)], hide: true },
			{ key: 'step', title: t('reach.step'), cell: r => coded('reachstate', r.state), hide: true },
			{ key: 'since', title: t('reach.for'), sort: r => r.since_s, cell: r => span(r.since_s) },
		], { caption: t('reach.title'), empty: t('reach.none') });
		const probes = timePlot([{ key: 'good', title: t('reach.good'), class: 'c3' }, { key: 'bad', title: t('reach.bad'), class: 'c5' }], { label: t('reach.history'), format: num, kind: 'bars', height: 130, stamp: at => clock(at) });
		const past = panel(t('reach.history'), { id: 'reach-history' }, probes);
		const counters = h('dl', { class: 'facts two' });
		const addresses = table([
			{ key: 'host', title: t('up.host'), sort: a => a.host, cell: a => h('span', { class: 'mono' }, a.host) },
			{ key: 'address', title: t('up.address'), sort: a => a.address ?? '', cell: a => h('span', { class: 'mono' }, a.address ?? '–'), hide: true },
			{ key: 'state', title: t('reach.state'), sort: a => a.state ?? '', cell: a => h('span', { class: 'tag' }, lamp(a.state === 'rested' ? 'bad' : 'ok'), coded('up', a.state)) },
			{ key: 'open', title: t('up.open'), num: true, sort: a => a.open, cell: a => num(a.open) },
			{ key: 'failures', title: t('up.failures'), num: true, sort: a => a.failures, cell: a => num(a.failures) },
			{ key: 'rtt', title: t('up.rtt'), num: true, sort: a => a.rtt_ms, cell: a => a.rtt_ms == null ? '–' : `${num(a.rtt_ms, 1)} ms`, hide: true },
		], { caption: t('up.title'), search: a => `${a.host} ${a.address}` });
		const upPanel = panel(t('up.title'), { id: 'upstreams' }, addresses);
		const resolvers = table([
			{ key: 'address', title: t('dns.resolver'), sort: r => r.address, cell: r => h('span', { class: 'mono' }, r.address) },
			{ key: 'kind', title: t('dns.kind'), sort: r => r.kind, cell: r => t(`via.${r.kind}`) },
			{ key: 'state', title: t('reach.state'), sort: r => Number(r.in_use), cell: r => h('span', { class: 'tag' }, lamp(r.in_use ? 'ok' : 'off'), t(r.in_use ? 'dns.used' : 'dns.ready')) },
			{ key: 'asked', title: t('dns.asked'), num: true, sort: r => r.asked, cell: r => num(r.asked), hide: true },
			{ key: 'failed', title: t('dns.failed'), num: true, sort: r => r.failed, cell: r => num(r.failed) },
			{ key: 'ms', title: t('dns.ms'), num: true, sort: r => r.ms, cell: r => r.ms == null ? '–' : `${num(r.ms, 1)} ms` },
		], { caption: t('dns.title') });
		const dnsPanel = panel(t('dns.title'), { id: 'dns' }, resolvers);
		past.hidden = upPanel.hidden = dnsPanel.hidden = true;

		context.every(3000, async signal => vendors.set((await get('status', { signal })).reach));
		context.every(5000, async signal => {
			const all = (await get('stat', { signal })).counters, byName = new Map(all.map(c => [c.name, c]));
			clear(counters, COUNTERS.filter(n => byName.has(n)).map(n => [h('dt', { title: byName.get(n).help }, t(`counter.${n}`)), h('dd', null, num(byName.get(n).value))]));
		});
		context.every(60000, async signal => {
			const ring = await history('hour', signal);
			if (!ring.probes)
				return;
			const cut = Math.max(0, ring.at.length - 24), bad = ring.probe_failures.slice(cut);
			past.hidden = false;
			probes.set({ at: ring.at.slice(cut), good: ring.probes.slice(cut).map((v, i) => Math.max(0, (v ?? 0) - (bad[i] ?? 0))), bad }, { from: ring.at.at(cut), to: ring.end, width: ring.step });
		});
		context.every(5000, async signal => {
			if (!await context.has('upstreams'))
				return;
			addresses.set((await get('upstreams', { signal })).upstreams);
			upPanel.hidden = false;
		});
		context.every(5000, async signal => {
			if (!await context.has('dns'))
				return;
			resolvers.set((await get('dns', { signal })).resolvers);
			dnsPanel.hidden = false;
		});
		return h('div', { class: 'stack' }, panel(t('reach.title'), { id: 'vendors', note: t('reach.note') }, vendors), past,
			upPanel, dnsPanel, panel(t('up.counters'), { id: 'up-counters' }, counters));
	},
};
