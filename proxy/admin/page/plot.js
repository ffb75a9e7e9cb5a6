// SPDX-License-Identifier: Apache-2.0
// Small plots in SVG: areas over time, stacked bars, shares, a treemap. Colours come from classes c1, c2 ... of the
// style sheet. The pointer or the arrow keys read a plot's values; screen readers hear them as a slider's.
import { h, svg, clear, text } from './dom.js';
import { t, clock, day } from './i18n.js';

const RIGHT = 8, TOP = 8, BOTTOM = 22;
const CHAR = 6.9; // a digit's width at the axis' size, with some to spare

// 1, 2 or 5 times a power of the base, so that four lines cover `max`.
function step(max, base) {
	const unit = base === 1024 ? 1024 ** Math.max(0, Math.floor(Math.log2(max / 4 || 1) / 10)) : 1;
	const raw = max / unit / 4 || 1, power = 10 ** Math.floor(Math.log10(raw)), m = raw / power;
	return unit * power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

const TICKS = [15, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800];

function timeTicks(from, to, room) {
	const size = TICKS.find(s => (to - from) / 1000 / s <= room) ?? TICKS.at(-1);
	const shift = new Date(to).getTimezoneOffset() * 60000, ticks = [];
	for (let x = Math.ceil((from - shift) / (size * 1000)) * size * 1000 + shift; x <= to; x += size * 1000)
		ticks.push(x);
	return { ticks, words: x => size >= 86400 ? day(x) : clock(x, size < 60) };
}

// series: [{key, title, class}]; options: label, format(value), kind: 'area' or 'bars' (stacked),
// height, base (1024 for bytes), factor (of the unit shown to the values' own), stamp(at) -> words.
// set({at: [ms...], key: [values...], ...}, {from, to, width: ms of a bar}).
export function timePlot(series, { label, format, kind = 'area', height = 180, base = 1000, factor = 1, stamp }) {
	const root = svg('svg', { class: 'plot', 'aria-hidden': 'true', height });
	const readout = h('div', { class: 'legend' });
	const values = series.map(s => {
		const v = h('b');
		readout.append(h('span', null, h('i', { class: `swatch ${s.class}` }), `${s.title} `, v));
		return v;
	});
	const moment = h('span', { class: 'moment' });
	readout.append(moment);
	const slider = h('div', { class: 'reader', role: 'slider', tabindex: 0, 'aria-label': label, 'aria-valuemin': 0, 'aria-valuenow': 0, 'aria-valuetext': t('plot.none') });
	const box = h('div', { class: 'plotbox' }, root, slider);
	let data = { at: [] }, view = {}, width = 0, left = 62, cursor = null;

	const x = at => left + (width - left - RIGHT) * (at - view.from) / (view.to - view.from || 1);
	const total = i => kind === 'bars' ? series.reduce((sum, s) => sum + (data[s.key][i] ?? 0), 0) : Math.max(...series.map(s => data[s.key][i] ?? 0));

	function area(s, y) {
		const points = [];
		data.at.forEach((at, i) => { if (data[s.key][i] != null) points.push(`${x(at).toFixed(1)},${y(data[s.key][i]).toFixed(1)}`); });
		if (!points.length)
			return [];
		const end = points.at(-1).split(',')[0], start = points[0].split(',')[0];
		return [svg('path', { class: `fill ${s.class}`, d: `M${start},${y(0)}L${points.join('L')}L${end},${y(0)}z` }),
			svg('path', { class: `line ${s.class}`, d: `M${points.join('L')}` })];
	}
	function bars(y) {
		const w = Math.max(1, x(view.from + view.width) - x(view.from) - (view.width ? 2 : 0)), out = [];
		data.at.forEach((at, i) => {
			let sum = 0;
			for (const s of series) {
				const v = data[s.key][i] ?? 0;
				if (v > 0)
					out.push(svg('rect', { class: `bar ${s.class}`, x: (x(at) + 1).toFixed(1), width: w.toFixed(1), y: y(sum + v).toFixed(1), height: Math.max(0.5, y(sum) - y(sum + v)).toFixed(1) }));
				sum += v;
			}
		});
		return out;
	}
	function draw() {
		if (!width)
			return;
		root.setAttribute('width', width);
		root.setAttribute('viewBox', `0 0 ${width} ${height}`);
		const max = Math.max(0, ...data.at.map((_, i) => total(i))), grid = step(max * factor || (factor > 1 ? 1000 : 1), base) / factor, top = Math.max(grid, Math.ceil(max / grid) * grid);
		const lines = Array.from({ length: Math.round(top / grid) + 1 }, (_, i) => i * grid);
		left = Math.max(40, 14 + CHAR * Math.max(...lines.map(v => format(v).length)));
		const y = v => TOP + (height - TOP - BOTTOM) * (1 - v / top), parts = [];
		for (const v of lines)
			parts.push(svg('line', { class: 'grid', x1: left, x2: width - RIGHT, y1: y(v), y2: y(v) }),
				svg('text', { class: 'axis', x: left - 8, y: y(v) + 4, 'text-anchor': 'end' }, format(v)));
		const time = timeTicks(view.from, view.to, Math.max(2, (width - left) / 84));
		for (const at of time.ticks)
			parts.push(svg('text', { class: 'axis', x: Math.min(x(at), width - 18), y: height - 5, 'text-anchor': 'middle' }, time.words(at)));
		parts.push(kind === 'bars' ? bars(y) : series.map(s => area(s, y)));
		if (cursor != null && data.at[cursor] != null) {
			const cx = x(data.at[cursor]) + (kind === 'bars' ? (x(view.from + view.width) - x(view.from)) / 2 : 0);
			parts.push(svg('line', { class: 'cursor', x1: cx, x2: cx, y1: TOP, y2: height - BOTTOM }));
		}
		clear(root, parts);
		read();
	}
	function read() {
		const last = data.at.length - 1, i = cursor ?? last;
		series.forEach((s, n) => text(values[n], i < 0 || data[s.key][i] == null ? '–' : format(data[s.key][i])));
		const name = i < 0 ? '' : (stamp ?? (at => clock(at, true)))(data.at[i]);
		text(moment, cursor == null && kind === 'area' ? '' : name);
		slider.setAttribute('aria-valuemax', Math.max(0, last));
		slider.setAttribute('aria-valuenow', Math.max(0, i));
		slider.setAttribute('aria-valuetext', i < 0 ? t('plot.none') : `${name}: ${series.map((s, n) => `${s.title} ${values[n].textContent}`).join(', ')}`);
	}
	function move(to) {
		cursor = to == null || !data.at.length ? null : Math.max(0, Math.min(data.at.length - 1, to));
		draw();
	}
	slider.addEventListener('pointermove', e => {
		const at = view.from + (e.offsetX - left) / (width - left - RIGHT) * (view.to - view.from) - (kind === 'bars' ? (view.width ?? 0) / 2 : 0);
		let best = 0;
		data.at.forEach((v, i) => { if (Math.abs(v - at) < Math.abs(data.at[best] - at)) best = i; });
		move(best);
	});
	slider.addEventListener('pointerleave', () => move(null));
	slider.addEventListener('blur', () => move(null));
	slider.addEventListener('keydown', e => {
		const last = data.at.length - 1, i = cursor ?? last;
		const to = { ArrowLeft: i - 1, ArrowRight: i + 1, ArrowDown: i - 1, ArrowUp: i + 1, Home: 0, End: last, Escape: null }[e.key];
		if (to === undefined)
			return;
		e.preventDefault();
		move(to);
	});
	new ResizeObserver(() => {
		width = box.clientWidth;
		draw();
	}).observe(box);
	const el = h('figure', { class: 'figure' }, readout, box);
	el.set = (next, range) => {
		data = next;
		view = range ?? { from: data.at[0] ?? 0, to: data.at.at(-1) ?? 1 };
		if (cursor != null && cursor >= data.at.length)
			cursor = null;
		draw();
	};
	return el;
}

// Parts of one whole as a bar with a legend: [{title, value, class}].
export function shares(label, format) {
	const bar = h('div', { class: 'sharebar', 'aria-hidden': 'true' }), list = h('ul', { class: 'legend', 'aria-label': label });
	const el = h('div', { class: 'shares' }, bar, list);
	el.set = parts => {
		const sum = parts.reduce((a, p) => a + p.value, 0);
		clear(bar, parts.filter(p => p.value > 0).map(p => {
			const i = h('i', { class: p.class });
			i.style.flexGrow = p.value / sum;
			return i;
		}));
		clear(list, parts.map(p => h('li', null, h('i', { class: `swatch ${p.class}` }), `${p.title} `, h('b', null, format(p.value, sum)))));
	};
	return el;
}

// A line of history without axes.
export function spark(list, words) {
	const max = Math.max(...list, 0.001), w = 120, top = 24;
	return svg('svg', { class: 'spark', viewBox: `0 0 ${w} ${top}`, role: 'img', 'aria-label': words },
		svg('path', { class: 'line c1', d: `M${list.map((v, i) => `${(i * w / Math.max(1, list.length - 1)).toFixed(1)},${(top - 1 - (top - 2) * (v ?? 0) / max).toFixed(1)}`).join('L')}` }));
}

// Squarified treemap (Bruls, Huizing, van Wijk, 2000): items [{title, note, value, class}].
export function treemap(label, { height = 220 } = {}) {
	const root = svg('svg', { class: 'treemap', height, role: 'img', 'aria-label': label }), box = h('div', { class: 'plotbox' }, root);
	let items = [], width = 0;

	const worst = (row, side, sum) => Math.max(...row.map(r => Math.max(side * side * r / (sum * sum), sum * sum / (side * side * r))));

	function layout() {
		const total = items.reduce((a, i) => a + i.value, 0), scale = width * height / (total || 1), out = [];
		let list = items.map(i => ({ ...i, area: i.value * scale })), x = 0, y = 0, w = width, v = height;
		while (list.length) {
			const side = Math.max(1, Math.min(w, v)), row = [list[0]];
			let sum = row[0].area;
			while (row.length < list.length) {
				const next = list[row.length], areas = row.map(r => r.area);
				if (worst([...areas, next.area], side, sum + next.area) > worst(areas, side, sum))
					break;
				row.push(next);
				sum += next.area;
			}
			const depth = sum / side;
			let along = 0;
			for (const r of row) {
				const length = r.area / depth;
				out.push(w < v ? { ...r, x: x + along, y, w: length, h: depth } : { ...r, x, y: y + along, w: depth, h: length });
				along += length;
			}
			if (w < v)
				y += depth, v -= depth;
			else
				x += depth, w -= depth;
			list = list.slice(row.length);
		}
		return out;
	}
	function draw() {
		if (!width)
			return;
		root.setAttribute('width', width);
		root.setAttribute('viewBox', `0 0 ${width} ${height}`);
		clear(root, layout().filter(r => r.w > 1 && r.h > 1).map(r => {
			const fits = Math.floor((r.w - 10) / 7.2), name = r.title.length > fits ? `${r.title.slice(0, Math.max(0, fits - 1))}…` : r.title;
			return svg('g', null, svg('title', null, `${r.title}: ${r.note}`),
				svg('rect', { class: `tile ${r.class}`, x: (r.x + 0.5).toFixed(1), y: (r.y + 0.5).toFixed(1), width: Math.max(0, r.w - 1).toFixed(1), height: Math.max(0, r.h - 1).toFixed(1), rx: 2 }),
				fits > 3 && r.h > 18 && svg('text', { class: 'tiletext', x: r.x + 6, y: r.y + 15 }, name),
				fits > 5 && r.h > 34 && svg('text', { class: 'tiletext small', x: r.x + 6, y: r.y + 30 }, r.note));
		}));
	}
	new ResizeObserver(() => {
		width = box.clientWidth;
		draw();
	}).observe(box);
	box.set = list => {
		items = list.filter(i => i.value > 0).sort((a, b) => b.value - a.value).slice(0, 120);
		draw();
	};
	return box;
}

