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
			{ key: 'step', title: t('reach.step'), cell: r => r.state === 'unchecked' ? '–' : coded('reachstate', r.state), hide: true },
			{ key: 'since', title: t('reach.for'), sort: r => r.since_s, cell: r => span(r.since_s) },
		], { caption: t('reach.title'), empty: t('reach.none') });
		const probes = timePlot([{ key: 'good', title: t('reach.good'), class: 'c3' }, { key: 'bad', title: t('reach.bad'), class: 'c5' }], { label: t('reach.history'), format: num, kind: 'bars', height: 130, stamp: at => clock(at) });
		const past = panel(t('reach.history'), { id: 'reach-history' }, probes);
		const counters = h('dl', { class: 'facts two' });
		const addresses = table([
			{ key: 'host', title: t('up.host'), sort: a => a.host, cell: a => h('span', { class: 'mono' }, a.host) },
			{ key: 'address', title: t('up.address'), sort: a => a.address ?? '', cell: a => h('span', { class: 'mono' }, a.address ?? '–') },
			{ key: 'state', title: t('reach.state'), sort: a => a.state, cell: a => h('span', { class: 'tag' }, lamp(a.state === 'good' ? 'ok' : 'warn'), coded('up', a.state)) },
			{ key: 'failures', title: t('up.failures'), num: true, sort: a => a.failures, cell: a => num(a.failures), hide: true },
			{ key: 'rests', title: t('up.rests'), num: true, sort: a => a.rests_s, cell: a => a.rests_s ? span(a.rests_s) : '–', hide: true },
		], { caption: t('up.title'), search: a => `${a.host} ${a.address}` });
		const upPanel = panel(t('up.title'), { id: 'upstreams' }, addresses);
		const names = table([
			{ key: 'name', title: t('dns.name'), sort: n => n.name, cell: n => h('span', { class: 'mono' }, n.name) },
			{ key: 'addresses', title: t('dns.addresses'), wrap: true, cell: n => h('span', { class: 'mono' }, n.addresses.join(' ') || coded('dnswhy', n.error, n.error) || '–'), hide: true },
			{ key: 'state', title: t('reach.state'), sort: n => n.state, cell: n => h('span', { class: 'tag' }, lamp({ fresh: 'ok', stale: 'warn' }[n.state] ?? 'bad'), coded('dns', n.state)) },
			{ key: 'server', title: t('dns.server'), cell: n => n.server ? h('span', { class: 'mono' }, n.server) : t('via.system'), hide: true },
			{ key: 'ttl', title: t('dns.ttl'), num: true, sort: n => n.ttl_s, cell: n => n.ttl_s > 0 ? span(n.ttl_s) : '–' },
		], { caption: t('dns.title') });
		const servers = h('p', { class: 'note' });
		const dnsPanel = panel(t('dns.title'), { id: 'dns' }, servers, names);
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
			const dns = await get('dns', { signal });
			names.set(dns.names);
			servers.textContent = t('dns.servers', { list: dns.servers.map(x => x.address).join(', ') || '–' });
			dnsPanel.hidden = false;
		});
		return h('div', { class: 'stack' }, panel(t('reach.title'), { id: 'vendors', note: t('reach.note') }, vendors), past,
			upPanel, dnsPanel, panel(t('up.counters'), { id: 'up-counters' }, counters));
	},
};
