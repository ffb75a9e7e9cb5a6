// SPDX-License-Identifier: Apache-2.0
// A table that sorts, filters and pages. Only the rows are drawn anew, so the focus in heads and filter stays.
import { h, clear, text } from './dom.js';
import { t, num } from './i18n.js';

// columns: [{key, title, cell(row) -> node or text, sort(row) -> number or string, num, hide, wrap}];
// hide: such columns leave on narrow screens; 'wider': on those of a tablet, too. options: caption, order: [key, -1 or 1],
// search(row) -> text, page: rows at once, empty: words for no rows, remember: {} for order and filter.
export function table(columns, { caption, order, search, page = 100, empty, filters, remember = {} } = {}) {
	let rows = [], shown = page;
	remember.order ??= order ?? [columns[0].key, 1];
	remember.filter ??= '';
	const body = h('tbody'), count = h('p', { class: 'count', role: 'status' });
	const heads = columns.map(c => {
		const button = c.sort && h('button', { type: 'button', onclick: () => turn(c) }, c.title);
		return h('th', { scope: 'col', class: classes(c) }, button || c.title);
	});
	const more = h('button', { type: 'button', class: 'more', hidden: true, onclick() { shown += 5 * page; draw(); } }, t('table.more'));
	const box = search && h('input', {
		type: 'search', value: remember.filter, placeholder: t('table.filter'), 'aria-label': `${caption}: ${t('table.filter')}`,
		oninput() { remember.filter = this.value; shown = page; draw(); },
	});

	function classes(c) {
		return [c.num && 'num', c.hide && (c.hide === 'wider' ? 'wider-only' : 'wide-only'), c.wrap && 'wrap'].filter(Boolean).join(' ') || null;
	}
	function turn(c) {
		const [key, way] = remember.order;
		remember.order = [c.key, key === c.key ? -way : c.num ? -1 : 1];
		draw();
	}
	function sorted() {
		const [key, way] = remember.order, c = columns.find(x => x.key === key);
		const words = remember.filter.trim().toLowerCase();
		const found = words && search ? rows.filter(r => search(r).toLowerCase().includes(words)) : rows;
		if (!c?.sort)
			return found;
		return [...found].sort((a, b) => {
			const x = c.sort(a), y = c.sort(b);
			return way * (typeof x === 'string' && typeof y === 'string' ? x.localeCompare(y, undefined, { numeric: true }) : (x ?? -1) - (y ?? -1));
		});
	}
	function draw() {
		const list = sorted();
		columns.forEach((c, i) => {
			if (c.sort)
				heads[i].setAttribute('aria-sort', remember.order[0] !== c.key ? 'none' : remember.order[1] > 0 ? 'ascending' : 'descending');
		});
		clear(body, list.slice(0, shown).map(r => h('tr', null, columns.map((c, i) => i === 0
			? h('th', { scope: 'row', class: classes(c) }, c.cell(r)) : h('td', { class: classes(c) }, c.cell(r))))),
		!list.length && h('tr', { class: 'none' }, h('td', { colspan: columns.length }, rows.length ? t('table.nothing') : empty ?? t('table.empty'))));
		more.hidden = list.length <= shown;
		text(count, list.length === rows.length ? t('table.count', { n: num(rows.length) }) : t('table.some', { n: num(list.length), of: num(rows.length) }));
	}
	const el = h('div', { class: 'tablebox' },
		(box || filters) && h('div', { class: 'tools' }, box, filters, count),
		h('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': caption },
			h('table', null, h('caption', { class: 'unseen' }, caption), h('thead', null, h('tr', null, heads)), body)), more);
	el.set = list => { rows = list; draw(); };
	return el;
}
