// SPDX-License-Identifier: Apache-2.0
// Every setting with its meaning, limits and default. Changes are gathered, looked at, and applied together; the
// server judges them all before it takes any.
import { h, clear, text, panel, say } from './dom.js';
import { t, num, known, ours, refusal } from './i18n.js';
import { call, get } from './api.js';
import { passwordForm } from './session.js';
import { lookNow } from './pending.js';

const idOf = s => `${s.section}.${s.key}`;

// A mark of a text (FNV-1a, 32 bits).
function markOf(words) {
	let hash = 0x811c9dc5;
	for (let i = 0; i < words.length; i++)
		hash = Math.imul(hash ^ (words.charCodeAt(i) & 0xff), 0x01000193) >>> 0;
	return hash.toString(36);
}

// The server's table speaks English. Other languages have words of their own, for just that text.
function helpOf(s) {
	const key = `set.${idOf(s)}.${markOf(s.help)}`;
	return known(key) ? t(key) : s.help;
}

const changes = new Map();
let filter = '';

function limits(s) {
	if (s.type === 'int' && s.max != null)
		return t('settings.limits', { min: num(s.min ?? 0), max: num(s.max) });
	return known(`type.${s.type}`) ? t(`type.${s.type}`) : '';
}

export default {
	id: 'settings',
	path: 'settings',
	make(context) {
		const list = h('div', { class: 'stack' }), errors = new Map(), rows = new Map(), operate = context.session.operate;
		const count = h('p', { 'aria-live': 'polite' }), diff = h('ul', { class: 'diff' });
		const bar = h('div', { class: 'banner pending', id: 'changes', hidden: true }, h('div', null, count, diff),
			h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'main', onclick: apply }, t('settings.apply')), h('button', { type: 'button', onclick: discard }, t('settings.discard'))));
		const done = h('div', { role: 'status' });
		let settings = [], history = null;

		function input(s, id, value) {
			const common = { id, disabled: !operate || s.fixed, 'aria-describedby': `${id}-help ${id}-error` };
			const choices = s.type === 'bool' ? ['yes', 'no'] : s.choices;
			if (choices)
				return h('select', { ...common, onchange() { set(s, this.value); } }, choices.map(c => h('option', { value: c, selected: c === value }, s.type === 'bool' ? `${c} – ${t(`bool.${c}`)}` : c)));
			return h('input', { ...common, type: 'text', autocomplete: 'off', spellcheck: 'false', autocapitalize: 'none', value, oninput() { set(s, this.value); } });
		}
		function set(s, value) {
			if (value === s.value)
				changes.delete(idOf(s));
			else
				changes.set(idOf(s), value);
			errors.delete(idOf(s));
			mark(s);
			pending();
		}
		function mark(s) {
			const row = rows.get(idOf(s));
			row.el.classList.toggle('changed', changes.has(idOf(s)));
			text(row.error, errors.get(idOf(s)) ?? '');
			if (errors.has(idOf(s)))
				row.input.setAttribute('aria-invalid', 'true');
			else
				row.input.removeAttribute('aria-invalid');
			row.reset.hidden = !operate || s.fixed || row.input.value === s.default;
		}
		function pending() {
			bar.hidden = !changes.size;
			text(count, t('settings.changes', { n: num(changes.size) }));
			clear(diff, [...changes].map(([id, v]) => h('li', null, `${id}: ${settings.find(s => idOf(s) === id)?.value || '""'} → ${v || '""'}`)));
		}
		function row(s) {
			const id = `set-${s.section}-${s.key}`, value = changes.get(idOf(s)) ?? s.value, control = input(s, id, value);
			const error = h('p', { class: 'error', id: `${id}-error` });
			const reset = h('button', { type: 'button', class: 'plain', 'aria-label': `${t('settings.default')}: ${idOf(s)}`, onclick() { control.value = s.default; set(s, s.default); control.focus(); } }, t('settings.default'));
			const el = h('div', { class: 'setting' },
				h('div', null, h('label', { for: id }, s.key), ' ', s.value !== s.default && h('span', { class: 'chip' }, t('settings.own')), s.fixed ? h('span', { class: 'chip' }, t('settings.fixed')) : s.restart && h('span', { class: 'chip warn' }, t(`settings.restart.${s.restart}`)),
					h('p', { class: 'help', id: `${id}-help` }, helpOf(s), ' ', limits(s), ' ', h('span', { class: 'mono' }, t('settings.is', { value: s.default || '""' })))),
				h('div', { class: 'field' }, control, reset, error));
			rows.set(idOf(s), { el, input: control, error, reset });
			mark(s);
			return el;
		}
		function draw() {
			const words = filter.toLowerCase();
			rows.clear();
			const found = settings.filter(s => `${idOf(s)} ${helpOf(s)} ${s.help}`.toLowerCase().includes(words));
			const sections = [...new Set(found.map(s => s.section))];
			clear(list, sections.map(name => panel(h('span', null, h('code', null, `[${name}] `), t(`section.${name}`)), { id: `section-${name}` }, found.filter(s => s.section === name).map(row))),
				!found.length && h('p', { class: 'note' }, t('table.nothing')));
			pending();
		}
		async function load(signal) {
			const answer = await get('settings', { signal });
			settings = answer.settings;
			history = answer.undo ?? null;
			undo.hidden = !operate || !history;
			draw();
		}
		function discard() {
			changes.clear();
			errors.clear();
			draw();
			say(t('settings.discarded'));
		}
		async function apply() {
			errors.clear();
			clear(done);
			try {
				const answer = await call('PATCH', 'settings', Object.fromEntries(changes));
				const n = changes.size;
				changes.clear();
				await load();
				clear(done, h('div', { class: 'banner ok' }, t(answer?.pending ? 'settings.applied.pending' : 'settings.applied', { n: num(n) })));
				lookNow();
			} catch (e) {
				if (e.name === 'AbortError')
					return;
				for (const x of e.body?.errors ?? [])
					errors.set(x.setting, ours(x.text));
				settings.forEach(s => rows.has(idOf(s)) && mark(s));
				clear(done, h('div', { class: 'banner bad', role: 'alert' }, t('settings.refused'), errors.size ? '' : ` ${refusal(e)}`));
				const first = settings.find(s => errors.has(idOf(s)));
				if (first)
					rows.get(idOf(first))?.input.focus();
			}
		}
		async function takeBack() {
			clear(done);
			try {
				await call('POST', 'settings/undo');
				await load();
				clear(done, h('div', { class: 'banner ok' }, t('pending.undo.done')));
				lookNow();
			} catch (e) {
				clear(done, h('div', { class: 'banner bad' }, refusal(e)));
			}
		}
		const undo = h('button', { type: 'button', hidden: true, onclick: takeBack }, t('settings.undo'));
		const again = () => load().catch(() => {});
		addEventListener('tarn-settings', again);
		context.ending(() => removeEventListener('tarn-settings', again));
		again();
		const search = h('input', { type: 'search', value: filter, placeholder: t('table.filter'), 'aria-label': `${t('view.settings')}: ${t('table.filter')}`, oninput() { filter = this.value; draw(); } });
		return h('div', null, h('div', { class: 'tools' }, search, undo), !operate && h('p', { class: 'note' }, t('settings.readonly')), done, list, bar,
			operate && context.session.real && h('div', { class: 'stack' }, h('br'), panel(t('password.title'), { id: 'password' }, passwordForm())));
	},
};
