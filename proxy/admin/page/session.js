// SPDX-License-Identifier: Apache-2.0
// Who looks: logging in and out, changing the password.
import { h, clear, lamp, say } from './dom.js';
import { t, num, refusal } from './i18n.js';
import { call, get, setCsrf } from './api.js';

// {real, role, operate, mustChange} or {wanted: true}: somebody has to log in first.
export async function readSession() {
	let answer;
	try {
		answer = await get('session', { quiet: true });
	} catch (e) {
		if (e.status === 401 || e.status === 403)
			return { wanted: true };
		if (e.status === 404)
			return { real: false, role: 'operate', operate: true };
		throw e;
	}
	setCsrf(answer.csrf ?? null);
	return { real: true, role: answer.role, operate: answer.role === 'operate', mustChange: !!answer.must_change };
}

export async function logout() {
	try {
		await call('DELETE', 'session');
	} finally {
		location.reload();
	}
}

export const field = (label, input) => h('label', null, label, input);

export function loginView(tools, done) {
	const words = h('p', { class: 'error', role: 'alert', id: 'login-error' });
	const password = h('input', { type: 'password', name: 'password', autocomplete: 'current-password', required: true, autofocus: true, 'aria-describedby': 'login-error' });
	const role = h('select', null, ['operate', 'view'].map(r => h('option', { value: r }, t(`role.${r}`))));
	const button = h('button', { class: 'main', type: 'submit' }, t('session.in'));
	async function submit(e) {
		e.preventDefault();
		button.disabled = true;
		clear(words);
		try {
			const answer = await call('POST', 'session', { password: password.value, role: role.value }, { quiet: true });
			setCsrf(answer?.csrf ?? null);
			say(t('session.welcome'));
			await done();
			return;
		} catch (error) {
			password.value = '';
			clear(words, error.status === 401 || error.status === 403 ? t('session.wrong')
				: error.status === 429 ? t('session.wait', { n: num(error.after || 60) })
					: error.status === 0 ? t('frame.unreached') : refusal(error));
			password.setAttribute('aria-invalid', 'true');
		}
		button.disabled = false;
		password.focus();
	}
	document.title = `${t('session.in')} – Tarn`;
	return h('main', { class: 'lone' }, h('form', { class: 'panel login', onsubmit: submit },
		h('h1', { class: 'brand' }, h('img', { src: '/page/icon.svg', alt: '' }), 'Tarn'),
		field(t('session.role'), role), field(t('session.password'), password), words, button,
		h('p', { class: 'note' }, t('session.hint'))),
	h('div', { class: 'feet' }, tools));
}

// A question that needs an answer before anything happens. Resolves to true or false.
export function ask(title, body, yes, danger) {
	return new Promise(resolve => {
		const dialog = h('dialog', { 'aria-labelledby': 'ask-title', onclose() { resolve(dialog.returnValue === 'yes'); dialog.remove(); } },
			h('form', { method: 'dialog' }, h('h2', { id: 'ask-title' }, title), body && h('p', null, body),
				h('div', { class: 'buttons' }, h('button', { value: 'no' }, t('ask.no')), h('button', { value: 'yes', class: danger ? 'danger' : 'main' }, yes))));
		document.body.append(dialog);
		dialog.showModal();
	});
}

export function passwordForm(done) {
	const input = autocomplete => h('input', { type: 'password', autocomplete, required: true });
	const old = input('current-password'), fresh = input('new-password'), again = input('new-password');
	const words = h('p', { role: 'alert' });
	return h('form', {
		class: 'form',
		async onsubmit(e) {
			e.preventDefault();
			if (fresh.value !== again.value)
				return clear(words, h('span', { class: 'error' }, t('password.differ')));
			try {
				const answer = await call('POST', 'password', { old: old.value, new: fresh.value }, { quiet: true });
				if (answer?.csrf)
					setCsrf(answer.csrf);
				clear(words, lamp('ok'), ` ${t('password.done')}`);
				old.value = fresh.value = again.value = '';
				done?.();
			} catch (error) {
				clear(words, h('span', { class: 'error' }, error.status === 401 || error.status === 403 ? t('password.wrong') : error.status === 429 ? t('session.wait', { n: num(error.after || 60) }) : refusal(error)));
			}
		},
	}, field(t('password.old'), old), field(t('password.new'), fresh), field(t('password.again'), again), words,
	h('div', { class: 'buttons' }, h('button', { class: 'main', type: 'submit' }, t('password.change'))));
}

export function passwordDialog() {
	const dialog = h('dialog', { 'aria-labelledby': 'password-title', onclose() { dialog.remove(); } },
		h('h2', { id: 'password-title' }, t('password.first')), h('p', { class: 'note' }, t('password.first.note')),
		passwordForm(() => dialog.close()), h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: () => dialog.close() }, t('password.later'))));
	document.body.append(dialog);
	dialog.showModal();
}
