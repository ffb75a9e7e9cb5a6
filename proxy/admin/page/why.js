// SPDX-License-Identifier: Apache-2.0
// Why did this device not get it? What would be done with a request, in a sentence, and each rule that led there.
import { h, clear, panel } from './dom.js';
import { t, coded, said, refusal } from './i18n.js';
import { get } from './api.js';
import { field } from './session.js';

const kept = { url: '', device: '' };

// A sentence of the server's in our language, or as it is, which is English.
const sentence = (text, r, ...more) => {
	const words = said(r.form ?? text, r.values);
	return [words ? {} : { lang: 'en' }, words ?? text, ...more];
};
const rule = (r, last) => [h('dt', null, r.about === last ? '' : coded('whyabout', r.about)),
	h('dd', ...sentence(r.text, r, r.source && h('span', { class: 'under', lang: 'en' }, ` ${r.source}`)))];

function answerOf(why) {
	let last = null;
	const rows = (why.rules ?? []).map(r => { const row = rule(r, last); last = r.about; return row; });
	return [h('p', { class: 'verdict' }, h('b', null, coded('whydoes', why.does, why.does)), ': ', h('span', ...sentence(why.sentence, why))), h('p', { class: 'mono under' }, `${why.method} ${why.url}`), h('dl', { class: 'facts' }, rows)];
}

// `devices`: asks about one of them, too; the element's ask(address) fills that in.
export function whyPanel({ devices } = {}) {
	const url = h('input', { type: 'text', inputmode: 'url', required: true, placeholder: 'http://…', value: kept.url, 'aria-label': t('why.url') });
	const device = h('input', { type: 'text', class: 'mono', size: 18, placeholder: t('why.any'), value: kept.device });
	const answer = h('div', { role: 'status' });
	async function explain(e) {
		e.preventDefault();
		Object.assign(kept, { url: url.value.trim(), device: device.value.trim() });
		const from = devices && kept.device ? `&from=${encodeURIComponent(kept.device)}` : '';
		try {
			clear(answer, answerOf(await get(`why?url=${encodeURIComponent(kept.url)}${from}`)));
		} catch (error) {
			clear(answer, h('p', { class: 'error' }, refusal(error)));
		}
	}
	const el = panel(t(devices ? 'why.device.title' : 'why.title'), { id: 'why', note: t('why.note') },
		h('form', { class: devices ? 'why' : 'tools', onsubmit: explain }, devices ? [field(t('why.device'), device), field(t('why.url'), url)] : url, h('button', { type: 'submit' }, t('why.ask'))), answer);
	el.ask = address => {
		device.value = address;
		el.scrollIntoView({ block: 'nearest' });
		url.focus();
	};
	return el;
}
