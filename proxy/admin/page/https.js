// SPDX-License-Identifier: Apache-2.0
// HTTPS: how much passes unseen, which device distrusts what, and how devices come to know the authority.
import { h, clear, panel, say } from './dom.js';
import { t, num, bytes, ago, exactly, coded, refusal } from './i18n.js';
import { call, get } from './api.js';
import { table } from './table.js';

const CA_FILE = 'tls/ca.crt';

function instructions() {
	const part = (id, steps, code) => h('details', null, h('summary', null, t(`ca.${id}`)), h('ol', { class: 'steps' }, steps.map(n => h('li', null, t(`ca.${id}.${n}`)))), code && h('pre', { tabindex: 0 }, code));
	return [
		part('windows', [1, 2, 3], 'certutil -addstore -f Root tarn-ca.crt'),
		part('mdm', [1, 2, 3]),
		part('debian', [1, 2], 'sudo cp tarn-ca.crt /usr/local/share/ca-certificates/\nsudo update-ca-certificates'),
		part('redhat', [1, 2], 'sudo cp tarn-ca.crt /etc/pki/ca-trust/source/anchors/\nsudo update-ca-trust'),
		part('mac', [1], 'sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain tarn-ca.crt'),
	];
}

export default {
	id: 'https',
	make(context) {
		const facts = h('dl', { class: 'facts' }), sums = h('dl', { class: 'facts' }), operate = context.session.operate;
		const ca = panel(t('ca.title'), { id: 'ca', note: t('ca.note') }, facts, h('div', { class: 'buttons' }, h('a', { class: 'button', href: `/api/v1/${CA_FILE}`, download: 'tarn-ca.crt' }, t('ca.download'))), h('h3', null, t('ca.how')), instructions());
		const hosts = table([
			{ key: 'host', title: t('tls.host'), sort: r => r.host, cell: r => h('span', { class: 'mono' }, r.host) },
			{ key: 'mode', title: t('tls.mode'), sort: r => r.mode ?? '', cell: r => coded('tlsmode', r.mode, t('tlsmode.none')), hide: true },
			{ key: 'connections', title: t('tls.connections'), num: true, sort: r => r.connections, cell: r => num(r.connections) },
			{ key: 'open', title: t('tls.open'), num: true, sort: r => r.open, cell: r => num(r.open), hide: true },
			{ key: 'refused', title: t('tls.refused'), num: true, sort: r => r.refused, cell: r => num(r.refused), hide: true },
			{ key: 'down', title: t('tls.down'), num: true, sort: r => r.bytes_down, cell: r => bytes(r.bytes_down) },
		], { caption: t('tls.hosts'), order: ['down', -1], search: r => r.host, empty: t('tls.none') });
		const distrust = table([
			{ key: 'device', title: t('devices.device'), sort: r => r.device, cell: r => h('span', { class: 'mono' }, r.device) },
			{ key: 'host', title: t('tls.host'), sort: r => r.host, cell: r => h('span', { class: 'mono' }, r.host) },
			{ key: 'why', title: t('distrust.why'), cell: r => coded('distrust', r.reason), hide: true },
			{ key: 'since', title: t('distrust.since'), sort: r => -(r.since ?? 0), cell: r => h('span', { title: exactly(r.since) }, ago(r.since)), hide: true },
			{ key: 'until', title: t('distrust.until'), sort: r => r.until, cell: r => h('span', { title: exactly(r.until) }, ago(r.until)) },
			operate && { key: 'forget', title: h('span', { class: 'unseen' }, t('distrust.forget')), cell: r => h('button', { type: 'button', class: 'plain', 'aria-label': `${t('distrust.forget')}: ${r.device} ${r.host}`, onclick: () => forget(r) }, t('distrust.forget')) },
		].filter(Boolean), { caption: t('distrust.title'), search: r => `${r.device} ${r.host}`, empty: t('distrust.none') });
		const distrusted = panel(t('distrust.title'), { id: 'distrust', note: t('distrust.note') }, distrust);
		ca.hidden = distrusted.hidden = true;

		async function forget(r) {
			try {
				await call('DELETE', `tls/distrust?device=${encodeURIComponent(r.device)}&host=${encodeURIComponent(r.host)}`);
				say(t('distrust.forgotten'));
				await turn();
			} catch (e) {
				say(refusal(e));
			}
		}
		async function turn(signal) {
			if (!await context.has('tls/distrust'))
				return;
			distrust.set((await get('tls/distrust', { signal })).entries);
			distrusted.hidden = false;
		}
		const row = (k, v) => [h('dt', null, t(k)), h('dd', null, v)];
		context.every(10000, turn);
		context.every(60000, async signal => {
			if (!await context.has('tls/ca'))
				return;
			const a = await get('tls/ca', { signal });
			clear(facts, row('ca.name', a.authority), row('ca.sha256', h('span', { class: 'mono' }, a.sha256)), row('ca.valid', `${a.from} – ${a.until}`),
				row('ca.permitted', h('span', { class: 'mono' }, (a.permitted ?? []).join(', '))), a.uncovered?.length > 0 && row('ca.uncovered', h('span', { class: 'mono' }, a.uncovered.join(', '))));
			ca.hidden = false;
		});
		context.every(5000, async signal => {
			const { tls } = await get('status', { signal });
			hosts.set(tls.hosts);
			clear(sums, row('tls.connections', num(tls.connections)), row('tls.open', num(tls.open)), row('tls.down', bytes(tls.bytes_down)), row('tls.up', bytes(tls.bytes_up)), row('tls.refused', num(tls.refused)));
		});
		return h('div', { class: 'stack' }, h('div', { class: 'grid' }, panel(t('tls.sum'), { id: 'tls-sum', note: t('tls.note') }, sums), ca), panel(t('tls.hosts'), { id: 'tls-hosts' }, hosts), distrusted);
	},
};
