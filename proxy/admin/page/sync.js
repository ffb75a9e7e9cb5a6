// SPDX-License-Identifier: Apache-2.0
// The repository's own task: fetching a new generation before the devices ask for it.
import { h, clear, lamp, panel, meter, say } from './dom.js';
import { t, num, bytes, rate, span, ago, exactly, when, generation, coded, refusal } from './i18n.js';
import { call, get } from './api.js';
import { ask } from './session.js';
import { table } from './table.js';

const LAMPS = { idle: 'ok', running: 'ok', paused: 'warn', failed: 'bad', waiting: 'off', off: 'off' };

export default {
	id: 'sync',
	path: 'sync',
	make(context) {
		const cards = h('div', { class: 'grid' }), words = h('p', { class: 'error', role: 'alert' }), shown = new Map();
		const past = table([
			{ key: 'at', title: t('sync.at'), sort: r => r.at, cell: r => h('span', { title: ago(r.at) }, exactly(r.at)) },
			{ key: 'profile', title: t('sync.profile'), sort: r => r.profile, cell: r => r.profile },
			{ key: 'result', title: t('sync.result'), sort: r => r.result, cell: r => h('span', { class: 'tag' }, lamp(r.result === 'done' ? 'ok' : r.result === 'failed' ? 'bad' : 'warn'), coded('syncresult', r.result)) },
			{ key: 'generation', title: t('devices.generation'), num: true, sort: r => r.generation, cell: r => generation(r.generation), hide: true },
			{ key: 'objects', title: t('sync.objects'), num: true, sort: r => r.objects, cell: r => num(r.objects), hide: true },
			{ key: 'bytes', title: t('sync.bytes'), num: true, sort: r => r.bytes, cell: r => bytes(r.bytes) },
			{ key: 'took', title: t('sync.took'), num: true, sort: r => r.took_s, cell: r => span(r.took_s), hide: true },
		], { caption: t('sync.past'), order: ['at', -1], empty: t('sync.past.none'), page: 30 });

		async function act(action, profile) {
			if (action === 'cancel' && !await ask(t('sync.cancel.title'), t('sync.cancel.note'), t('sync.cancel'), true))
				return;
			clear(words);
			try {
				await call('POST', 'sync', profile ? { action, profile } : { action });
				say(t(`sync.did.${action}`));
				await turn();
			} catch (e) {
				clear(words, refusal(e));
			}
		}
		// A card stays as it is while figures change in it: whoever stands on a button keeps it.
		function card(name) {
			const bar = meter(t('sync.progress'), 0), state = h('p', { 'aria-live': 'polite' }), facts = h('dl', { class: 'facts' });
			const button = (action, cls) => h('button', { type: 'button', class: cls, onclick: () => act(action, name) }, t(`sync.${action}`));
			const buttons = { now: button('now', 'main'), pause: button('pause'), resume: button('resume', 'main'), cancel: button('cancel', 'danger') };
			const el = panel(name, { extra: state }, bar, facts, context.session.operate && h('div', { class: 'buttons' }, Object.values(buttons)));
			let last = null;
			el.set = p => {
				const s = p.state ?? 'idle', running = s === 'running', paused = s === 'paused';
				if (last !== s)
					clear(state, h('span', { class: 'tag' }, lamp(LAMPS[s] ?? 'off'), coded('sync.state', s)));
				last = s;
				bar.set(p.total_bytes ? p.done_bytes / p.total_bytes : p.total ? p.done / p.total : 0);
				bar.hidden = !running && !paused;
				buttons.now.hidden = running || paused;
				buttons.pause.hidden = !running;
				buttons.resume.hidden = !paused;
				buttons.cancel.hidden = !running && !paused;
				const row = (k, v) => [h('dt', null, t(k)), h('dd', null, v)];
				clear(facts, (running || paused) && [row('sync.objects', t('sync.of', { n: num(p.done), all: num(p.total) })), row('sync.bytes', t('sync.of', { n: bytes(p.done_bytes), all: bytes(p.total_bytes) })),
					p.rate != null && row('sync.rate', rate(p.rate)), p.left_s != null && row('sync.left', span(p.left_s))],
				p.generation != null && row('devices.generation', num(p.generation)), p.published_at && row('sync.published', `${when(p.published_at)} (${ago(p.published_at)})`),
				p.next_at && row('sync.next', `${when(p.next_at)} (${ago(p.next_at)})`), p.why && row('sync.why', coded('sync.why', p.why)));
			};
			return el;
		}
		async function turn(signal) {
			const answer = await get('sync', { signal });
			for (const p of answer.profiles ?? []) {
				if (!shown.has(p.profile)) {
					shown.set(p.profile, card(p.profile));
					cards.append(shown.get(p.profile));
				}
				shown.get(p.profile).set(p);
			}
			past.set(answer.history ?? []);
		}
		context.every(2000, turn);
		return h('div', { class: 'stack' }, words, cards, panel(t('sync.past'), { id: 'sync-past' }, past));
	},
};
