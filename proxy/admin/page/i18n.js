// SPDX-License-Identifier: Apache-2.0
// Words, numbers and dates in the reader's language. Which one: what was chosen here before, else the browser's.
import en from './en.js';
import ja from './ja.js';
import countersJa from './counters_ja.js';
import saidJa from './said_ja.js';

const DICTIONARIES = { en, ja }, SAID = { ja: { ...countersJa, ...saidJa } };
export const LANGUAGES = [['en', 'English'], ['ja', '日本語']];

let lang = 'en', words = en, cache = {}, patterns = [];

function kept(key) {
	try {
		return localStorage.getItem(key);
	} catch {
		return null;
	}
}

export function remember(key, value) {
	try {
		localStorage.setItem(key, value);
	} catch { /* not remembered, then */ }
}

export const recall = kept;

export function chooseLanguage(wanted) {
	const list = wanted ? [wanted] : [kept('tarn.lang'), ...(navigator.languages ?? [])];
	lang = list.filter(Boolean).map(l => l.slice(0, 2).toLowerCase()).find(l => DICTIONARIES[l]) ?? 'en';
	words = DICTIONARIES[lang];
	cache = {};
	patterns = patternsOf(SAID[lang] ?? {});
	if (wanted)
		remember('tarn.lang', lang);
	document.documentElement.lang = lang;
}

export const language = () => lang;
export const known = key => Object.hasOwn(words, key);

// The words of a key, {name} replaced. A key with no words shows itself.
export function t(key, values = {}) {
	const s = known(key) ? words[key] : en[key] ?? key;
	return s.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}

// Words for something the server names by a code: ours, or else what the server says.
export const coded = (prefix, code, otherwise) => known(`${prefix}.${code}`) ? t(`${prefix}.${code}`) : otherwise ?? code ?? '';

// A sentence of the server's, which speaks English: `form` has {0}, {1} where `values` stand, which may be words themselves.
// In our language, if there are words for it; else null. "lan0: it is so" is a name and a sentence.
export function said(form, values = []) {
	const words = SAID[lang] ?? {}, colon = form.indexOf(': ') + 2;
	if (Object.hasOwn(words, form))
		return words[form].replace(/\{(\d+)\}/g, (all, i) => Object.hasOwn(words, values[i]) ? words[values[i]] : values[i] ?? all);
	return colon > 1 && Object.hasOwn(words, form.slice(colon)) ? form.slice(0, colon) + words[form.slice(colon)] : null;
}

// What the server says without its form, a refusal for one, by what stands between the values; those that say most come first.
function patternsOf(words) {
	const said = form => form.replace(/\{\d+\}/g, '');
	return Object.keys(words).filter(form => form.includes('{0}') && /\w{2}.*\w{2}/.test(said(form)))
		.sort((a, b) => said(b).length - said(a).length)
		.map(form => [new RegExp(`^${form.replace(/[.*+?^$|()[\]\\]/g, '\\$&').replace(/\{\d+\}/g, '(.*?)')}$`, 's'), form]);
}
function matched(text) {
	for (const [pattern, form] of patterns) {
		const values = pattern.exec(text);
		if (values)
			return said(form, values.slice(1).map(ours));
	}
	// A name and what it is about, or one sentence and its reason.
	const colon = text.indexOf(': ');
	if (colon < 1)
		return null;
	const both = `${ours(text.slice(0, colon))}: ${ours(text.slice(colon + 2))}`;
	return both === text ? null : both;
}

// In our language; as it is, where there are no words for it.
export function ours(text) {
	const s = text ?? '';
	return !(lang in SAID) || !s ? s : Object.hasOwn(SAID[lang], s) ? SAID[lang][s] : matched(s) ?? s;
}
export const refusal = e => ours(e.message);

function format(kind, options) {
	const key = kind.name + JSON.stringify(options);
	return cache[key] ??= new kind(lang, options);
}

export const num = (n, digits = 0) => n == null || Number.isNaN(n) ? '–'
	: format(Intl.NumberFormat, { maximumFractionDigits: digits }).format(n);
export const percent = (share, digits = 0) => share == null || !Number.isFinite(share) ? '–'
	: format(Intl.NumberFormat, { style: 'percent', maximumFractionDigits: digits }).format(share);

function scaled(n, step, units) {
	let i = 0, v = Math.abs(n);
	while (v >= step * 0.9995 && i < units.length - 1) {
		v /= step;
		i++;
	}
	const digits = i === 0 || v >= 99.95 ? 0 : v >= 9.995 ? 1 : 2;
	return `${n < 0 ? '−' : ''}${num(v, digits)}\u00a0${units[i]}`;
}

export const bytes = n => n == null ? '–' : scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
// Bytes a second as a line's speed.
export const rate = n => n == null ? '–' : scaled(n * 8, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']);

export const when = ms => ms ? format(Intl.DateTimeFormat, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(ms) : '–';
export const exactly = ms => ms ? format(Intl.DateTimeFormat, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' }).format(ms) : '–';
export const clock = (ms, seconds) => format(Intl.DateTimeFormat, { hour: '2-digit', minute: '2-digit', second: seconds ? '2-digit' : undefined, hourCycle: 'h23' }).format(ms);
export const day = ms => format(Intl.DateTimeFormat, { month: 'short', day: 'numeric' }).format(ms);
export const weekday = ms => format(Intl.DateTimeFormat, { weekday: 'short', day: 'numeric' }).format(ms);

// A generation is named by the moment its index was first seen, or by a number of its publisher's.
export const generation = n => n > 1e11 ? when(n) : n ? num(n) : '–';

const UNITS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

// "3 minutes ago", "in 2 hours".
export function ago(ms, now = Date.now()) {
	if (!ms)
		return '–';
	const s = (ms - now) / 1000;
	const [unit, size] = UNITS.find(([, n]) => Math.abs(s) >= n) ?? UNITS[3];
	return format(Intl.RelativeTimeFormat, { numeric: 'auto', style: 'short' }).format(Math.round(s / size), unit);
}

// "2 h 5 min"
export function span(s) {
	if (s == null)
		return '–';
	const unit = (n, u) => format(Intl.NumberFormat, { style: 'unit', unit: u, unitDisplay: 'short', maximumFractionDigits: 0 }).format(n);
	const [a, b] = s >= 86400 ? [['day', 86400], ['hour', 3600]] : s >= 3600 ? [['hour', 3600], ['minute', 60]]
		: s >= 60 ? [['minute', 60], ['second', 1]] : [['second', 1]];
	const first = Math.floor(s / a[1]), rest = b ? Math.floor((s % a[1]) / b[1]) : 0;
	return unit(first, a[0]) + (rest ? ` ${unit(rest, b[0])}` : '');
}
