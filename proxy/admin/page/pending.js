// SPDX-License-Identifier: Apache-2.0
// A change that may cut off the admin waits for a word: unless it is confirmed in time, the server takes it back.
// The banner is over every view, and it finds a change made elsewhere, too.
import { h, clear, say } from './dom.js';
import { t, num, refusal } from './i18n.js';
import { call, get, every, has } from './api.js';

let changed = () => {};

// For the settings view: look now, not at the next turn.
export const lookNow = () => changed();

export function watchPending(place, session) {
	let until = 0, shown = false, lastSaid = null;
	const clock = h('b', { class: 'mono' }), words = h('p', null, h('b', null, t('pending.title')), ' ', t('pending.note'), ' ', clock);
	const act = what => async () => {
		try {
			await call('POST', `settings/${what}`);
			say(t(`pending.${what}.done`));
		} catch (e) {
			say(refusal(e));
		}
		await look();
		dispatchEvent(new Event('tarn-settings'));
	};
	const banner = h('div', { class: 'banner warn', role: 'alertdialog', 'aria-label': t('pending.title'), id: 'pending' }, words,
		session.operate && h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'main', onclick: act('confirm') }, t('pending.confirm')), h('button', { type: 'button', onclick: act('undo') }, t('pending.undo'))));

	function tick() {
		const left = Math.max(0, Math.ceil((until - Date.now()) / 1000));
		clock.textContent = t('pending.left', { n: num(left) });
		if (left !== lastSaid && (left === 30 || left === 10))
			say(t('pending.left', { n: num(left) }));
		lastSaid = left;
		if (shown && left === 0)
			look().catch(() => {});
	}
	async function look(signal) {
		if (!await has('settings'))
			return;
		const { pending } = await get('settings', { signal });
		until = pending ? Date.now() + pending.left_s * 1000 : 0;
		if (shown && !pending)
			dispatchEvent(new Event('tarn-settings'));
		if (shown !== !!pending) {
			shown = !!pending;
			clear(place, shown && banner);
		}
		if (shown)
			tick();
	}
	changed = () => look().catch(() => {});
	const endLook = every(5000, look), timer = setInterval(() => shown && tick(), 1000);
	return () => { endLook(); clearInterval(timer); changed = () => {}; };
}
