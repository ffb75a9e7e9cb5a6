// SPDX-License-Identifier: Apache-2.0
// Is it working? One judgement from GET status: a light, a sentence, and for each fault what to do.
import { t, coded, known, ours } from './i18n.js';

const RANK = { ok: 0, warn: 1, bad: 2 };

// A fault: its words are `fault.CODE` and `fault.CODE.todo`, or the server's own where we know none.
function fault(state, code, values = {}, server = {}) {
	const has = known(`fault.${code}`);
	return {
		state, code,
		title: has ? t(`fault.${code}`, values) : server.text ?? code,
		todo: has ? t(`fault.${code}.todo`, values) : server.todo ?? '',
	};
}

function faultsOf(s) {
	const list = [], seen = new Set();
	const add = (...f) => { if (!seen.has(f[1])) { seen.add(f[1]); list.push(fault(...f)); } };
	const cut = (s.reach ?? []).filter(r => r.checked && !r.reachable);
	if (s.state === 'draining')
		add('warn', 'draining');
	if (s.state === 'offline')
		add('warn', 'offline');
	else if (s.state === 'no_upstream' || (cut.length && cut.length === s.reach.length))
		add('bad', 'no_upstream', { vendors: cut.map(r => r.vendor).join(', ') });
	else if (cut.length)
		add('warn', 'some_unreachable', { vendors: cut.map(r => r.vendor).join(', ') });
	const byPublic = (s.reach ?? []).filter(r => r.reachable && r.via === 'public');
	if (byPublic.length)
		add('warn', 'public_dns', { vendors: byPublic.map(r => r.vendor).join(', '), resolver: byPublic[0].resolver });
	if (s.cache && s.cache.state !== 'serving' && s.state !== 'draining')
		add('bad', 'uncached', { state: coded('store', s.cache.state, s.cache.state) });
	if (s.cache?.last_error)
		add('warn', 'store_error', { error: s.cache.last_error });
	if (s.intercept?.keeper && !s.intercept.armed && !cut.length)
		add('bad', 'not_armed', { why: coded('whynot', s.intercept.why_not, ours(s.intercept.why_not)) });
	if (s.selftest?.state === 'failed')
		add('bad', 'selftest', { text: ours(s.selftest.text), todo: coded('selftest.todo', s.selftest.code, s.selftest.todo) });
	if (s.intercept?.hang_kills)
		add('warn', 'hang_kills', { n: s.intercept.hang_kills });
	for (const p of s.problems ?? [])
		add(p.severity === 'bad' || p.severity === 'red' || p.level === 'bad' ? 'bad' : 'warn', p.code, { ...p, ...p.values }, { text: p.text, todo: p.todo ?? p.action });
	return list.sort((a, b) => RANK[b.state] - RANK[a.state]);
}

export function judge(status) {
	if (!status)
		return { state: 'bad', headline: t('health.unreached'), sub: t('health.unreached.sub'), faults: [] };
	const faults = faultsOf(status), state = faults[0]?.state ?? 'ok';
	const alone = status.intercept && !status.intercept.keeper;
	return {
		state, faults,
		headline: state === 'ok' ? t('health.ok') : faults[0].title,
		sub: state === 'ok' ? t(alone ? 'health.ok.alone' : 'health.ok.armed') : t(`health.${state}.sub`),
	};
}
