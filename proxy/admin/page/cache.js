// SPDX-License-Identifier: Apache-2.0
// What is in the cache: by profile and size as a map, and each object in a table with a search.
import { h, clear, text, panel, meter, say } from './dom.js';
import { t, num, percent, bytes, ago, exactly, generation, coded, refusal } from './i18n.js';
import { call, get } from './api.js';
import { ask } from './session.js';
import { table } from './table.js';
import { treemap } from './plot.js';
import { whyPanel } from './why.js';

const KEPT = {}, LIMIT = 2000;
const nameOf = o => `${o.host ?? o.group ?? ''}${o.path ?? o.key}`;
// Its folder, two deep at most.
const folder = o => (o.path ?? o.key ?? '').split('?')[0].split('/').slice(0, -1).slice(0, 3).join('/') || '/';

export default {
	id: 'cache',
	make(context) {
		const bar = meter(t('cache.fill'), 0), facts = h('dl', { class: 'facts' });
		const map = treemap(t('cache.map'));
		const mapPanel = panel(t('cache.map'), { id: 'cache-map', note: t('cache.map.note') }, map);
		const operate = context.session.operate;
		const rows = table([
			{ key: 'path', title: t('cache.object'), wrap: true, sort: nameOf, cell: o => h('span', { class: 'mono' }, nameOf(o)) },
			{ key: 'profile', title: t('cache.profile'), sort: o => o.profile, cell: o => o.profile, hide: true },
			{ key: 'class', title: t('cache.class'), sort: o => o.class ?? '', cell: o => coded('class', o.class), hide: true },
			{ key: 'generation', title: t('cache.generation'), num: true, sort: o => o.generation, cell: o => generation(o.generation), hide: true },
			{ key: 'size', title: t('cache.size'), num: true, sort: o => o.size, cell: o => bytes(o.size) },
			{ key: 'stored', title: t('cache.stored'), sort: o => -(o.stored_at ?? 0), cell: o => h('span', { title: exactly(o.stored_at) }, ago(o.stored_at)), hide: true },
			{ key: 'state', title: t('cache.state'), sort: o => o.state ?? '', cell: o => h('span', { class: `chip ${o.state === 'fresh' ? 'ok' : ''}` }, coded('object', o.state)) },
			operate && { key: 'remove', title: h('span', { class: 'unseen' }, t('cache.remove')), cell: o => h('button', { type: 'button', class: 'plain', 'aria-label': `${t('cache.remove')}: ${nameOf(o)}`, onclick: () => remove(o) }, t('cache.remove')), hide: true },
		].filter(Boolean), { caption: t('cache.objects'), page: 50, order: ['size', -1], remember: KEPT, search: o => `${nameOf(o)} ${o.profile}`, empty: t('cache.none') });
		const listPanel = panel(t('cache.objects'), { id: 'cache-list' }, rows);
		const part = h('p', { class: 'note', hidden: true });
		listPanel.append(part);
		mapPanel.hidden = listPanel.hidden = true;

		async function load(signal) {
			const answer = await get(`objects?limit=${LIMIT}`, { signal }), list = answer.objects;
			mapPanel.hidden = listPanel.hidden = false;
			rows.set(list);
			part.hidden = !answer.more;
			text(part, t('cache.part', { n: num(list.length) }));
			const groups = new Map(), profiles = [...new Set(list.map(o => o.profile))].sort();
			for (const o of list) {
				const id = `${o.profile}${folder(o)}`, g = groups.get(id) ?? { title: `${o.profile}${folder(o)}`, value: 0, n: 0, class: `t${profiles.indexOf(o.profile) % 4}` };
				g.value += o.size ?? 0;
				g.n++;
				groups.set(id, g);
			}
			map.set([...groups.values()].map(g => ({ ...g, note: `${bytes(g.value)}, ${t('cache.n', { n: num(g.n) })}` })));
		}
		async function remove(o) {
			if (!await ask(t('cache.remove.title'), `${nameOf(o)} – ${t('cache.remove.note')}`, t('cache.remove'), true))
				return;
			try {
				await call('DELETE', `objects/${encodeURIComponent(o.id ?? o.key)}`);
				say(t('cache.removed'));
			} catch (e) {
				say(refusal(e));
			}
			await load().catch(() => {});
		}
		context.every(5000, async signal => {
			const { cache } = await get('status', { signal });
			const row = (k, v) => [h('dt', null, t(k)), h('dd', null, v)];
			bar.set(cache.limit ? cache.bytes / cache.limit : 0);
			clear(facts, row('cache.bytes', t('cache.bytes.of', { n: bytes(cache.bytes), limit: bytes(cache.limit), share: percent(cache.limit ? cache.bytes / cache.limit : 0, 1) })),
				row('cache.count', num(cache.objects)), row('cache.file', bytes(cache.file_bytes)), row('cache.queue', bytes(cache.queue_bytes)),
				row('cache.store', coded('store', cache.state)), cache.last_error && row('cache.error', cache.last_error));
		});
		context.every(30000, load);
		return h('div', { class: 'stack' }, h('div', { class: 'grid' }, panel(t('cache.fill'), { id: 'cache-fill' }, bar, facts), whyPanel()), mapPanel, listPanel);
	},
};
