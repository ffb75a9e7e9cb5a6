// SPDX-License-Identifier: Apache-2.0
// Elements from plain values. Text becomes text nodes and nothing else: no string from the server is ever
// parsed as HTML, whatever stands in it.

const SVG = 'http://www.w3.org/2000/svg';

function fill(el, props, kids) {
	for (const [k, v] of Object.entries(props ?? {})) {
		if (v == null || v === false)
			continue;
		if (k.startsWith('on'))
			el.addEventListener(k.slice(2), v);
		else if (k === 'value' || k === 'checked' || k === 'disabled' || k === 'hidden' || k === 'selected')
			el[k] = v;
		else
			el.setAttribute(k, v === true ? '' : v);
	}
	put(el, ...kids);
	return el;
}

// Kids: nodes, texts, numbers, arrays of them; null and false are left out.
export function put(el, ...kids) {
	for (const kid of kids.flat(Infinity))
		if (kid != null && kid !== false)
			el.append(kid instanceof Node ? kid : String(kid));
	return el;
}

export const h = (tag, props, ...kids) => fill(document.createElement(tag), props, kids);
export const svg = (tag, props, ...kids) => fill(document.createElementNS(SVG, tag), props, kids);

export function clear(el, ...kids) {
	el.replaceChildren();
	return put(el, ...kids);
}

// Changes the text only where it differs, so that screen readers and selections rest.
export function text(el, value) {
	const s = value == null ? '' : String(value);
	if (el.textContent !== s)
		el.textContent = s;
}

// Said aloud to those who listen instead of look.
export function say(words) {
	text(document.getElementById('say'), words);
}

const ICONS = {
	ok: 'M3.5 8.5l3 3 6-7',
	warn: 'M8 4v5M8 11.6v.4',
	bad: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
	off: 'M4 8h8',
};

// A state: colour, shape and, beside it, always words.
export function lamp(state) {
	return svg('svg', { class: `lamp ${state}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
		state === 'warn' ? svg('path', { class: 'ground', d: 'M8 .8L15.6 15H.4z' })
			: state === 'bad' ? svg('path', { class: 'ground', d: 'M5 .6h6L15.4 5v6L11 15.4H5L.6 11V5z' })
				: svg('circle', { class: 'ground', cx: 8, cy: 8, r: 7.6 }),
		svg('path', { class: 'sign', d: ICONS[state] ?? ICONS.off }));
}

export function panel(title, { id, extra, wide, note } = {}, ...kids) {
	const head = h('h2', { id: id ? `${id}-title` : null }, title);
	return h('section', { class: `panel${wide ? ' wide' : ''}`, id, 'aria-labelledby': head.id || null },
		h('header', null, head, extra), note && h('p', { class: 'note' }, note), kids);
}

// One of a few: a group of pressed buttons. `choices`: [[value, text]...].
export function segmented(label, choices, value, change) {
	const buttons = choices.map(([v, words]) => h('button', {
		type: 'button', 'aria-pressed': String(v === value),
		onclick() {
			for (const b of buttons)
				b.setAttribute('aria-pressed', String(b === this));
			change(v);
		},
	}, words));
	return h('div', { class: 'segmented', role: 'group', 'aria-label': label }, buttons);
}

export function meter(label, share, state = '') {
	const bar = h('span', { class: state });
	const el = h('div', { class: 'meter', role: 'meter', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100 }, bar);
	el.set = value => {
		const p = Math.max(0, Math.min(100, 100 * (value || 0)));
		el.setAttribute('aria-valuenow', p.toFixed(0));
		bar.style.width = `${p}%`;
	};
	el.set(share);
	return el;
}
