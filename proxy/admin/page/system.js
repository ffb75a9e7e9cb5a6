// SPDX-License-Identifier: Apache-2.0
// The box itself: what it is, its software, the self-test, every counter.
import { h, clear, lamp, panel } from './dom.js';
import { t, num, span, ago, coded, ours, refusal } from './i18n.js';
import { call, get } from './api.js';
import { appliance } from './appliance.js';
import { table } from './table.js';

export default {
	id: 'system',
	make(context) {
		const operate = context.session.operate;
		const facts = h('dl', { class: 'facts' });
		const testBody = h('div', { role: 'status' });
		const testPanel = panel(t('selftest.title'), { id: 'selftest', note: t('selftest.note'), extra: operate && h('button', { type: 'button', onclick: test }, t('selftest.run')) }, testBody);
		const counters = table([
			{ key: 'name', title: t('counters.name'), sort: c => c.name, cell: c => h('code', null, c.name) },
			{ key: 'value', title: t('counters.value'), num: true, sort: c => c.value, cell: c => num(c.value) },
			{ key: 'help', title: t('counters.help'), wrap: true, cell: c => ours(c.help), hide: true },
		], { caption: t('counters.title'), search: c => `${c.name} ${ours(c.help)}`, page: 40, filters: h('label', { class: 'tag' }, h('input', { type: 'checkbox', checked: true, onchange() { zero = !this.checked; draw(); } }), t('counters.moved')) });
		let all = [], zero = false;
		testPanel.hidden = true;

		const draw = () => counters.set(zero ? all : all.filter(c => c.value !== 0));

		function showTest(r) {
			const run = r.state === 'ok' || r.state === 'failed', ok = r.state === 'ok';
			if (!run) {
				clear(testBody, h('p', null, ours(r.text) || t('selftest.none')));
				return;
			}
			clear(testBody, h('p', { class: 'tag' }, lamp(ok ? 'ok' : 'bad'), h('b', null, t(ok ? 'selftest.ok' : 'selftest.bad')), h('span', { class: 'under' }, ago(r.at))),
				!ok && h('p', null, `${ours(r.text)}. ${coded('selftest.todo', r.code, r.todo)}`),
				h('ul', null, r.steps.map(s => h('li', null, lamp(s.ok === null ? 'off' : s.ok ? 'ok' : 'bad'), ' ', coded('selftest.step', s.name, s.text)))));
		}
		async function test() {
			clear(testBody, t('selftest.running'));
			try {
				showTest(await call('POST', 'selftest'));
			} catch (e) {
				clear(testBody, h('p', { class: 'error' }, refusal(e)));
			}
		}
		const row = (k, v) => [h('dt', null, t(k)), h('dd', null, v)];
		context.every(5000, async signal => {
			const s = await get('status', { signal });
			clear(facts, row('system.version', s.version), row('system.uptime', span(s.uptime_s)), row('system.workers', num(s.workers)), row('system.pseudonym', h('code', null, s.pseudonym)),
				row('system.intercept', s.intercept.armed ? t('system.armed') : coded('whynot', s.intercept.why_not, ours(s.intercept.why_not))), row('system.restarts', num(s.intercept.restarts)), row('system.hangs', num(s.intercept.hang_kills)));
		});
		context.every(5000, async signal => {
			all = (await get('stat', { signal })).counters;
			draw();
		});
		context.every(30000, async signal => {
			if (!await context.has('selftest'))
				return;
			showTest(await get('selftest', { signal }));
			testPanel.hidden = false;
		});
		return h('div', { class: 'stack' }, h('div', { class: 'grid' }, panel(t('system.title'), { id: 'box' }, facts), testPanel, appliance(context)), panel(t('counters.title'), { id: 'counters' }, counters));
	},
};
