// SPDX-License-Identifier: Apache-2.0
// The appliance's software: its two slots, an update and how far it is, the way back, restart and reset. On a machine
// whose software is its own system's there is none of it, and a sentence says so.
import { h, clear, lamp, meter, panel, say } from './dom.js';
import { t, bytes, num, percent, exactly, when, ago, coded, ours, refusal } from './i18n.js';
import { call, get, Failure } from './api.js';
import { ask, field } from './session.js';
import { table } from './table.js';

const SLOT_LAMPS = { good: 'ok', trying: 'warn', bad: 'bad' };
const EVENT_LAMPS = { installed: 'off', good: 'ok', failed: 'bad', fallback: 'bad', refused: 'warn', drive: 'ok', 'drive-failed': 'bad' };
const RUNS = ['fetching', 'checking', 'writing'];
const SEND_FAILS = 5; // in a row, of one piece
const NIGHT = '03:00'; // by the reader's clock

// "HH:MM" by the reader's clock as UTC's, which is the box's.
function utc(time) {
	const at = new Date(), [hours, minutes] = time.split(':');
	at.setHours(Number(hours), Number(minutes), 0, 0);
	return at.toISOString().slice(11, 16);
}

function progress() {
	const bar = meter(t('slots.progress'), 0), words = h('p', { role: 'status' }), el = h('div', { class: 'progress' }, words, bar);
	let shown = null;
	// Said anew when something else happens, not with every byte.
	el.set = (u, restartAt) => {
		const done = u.total ? ` ${percent(u.done / u.total)} (${bytes(u.done)} / ${bytes(u.total)})` : u.done ? ` ${bytes(u.done)}` : '';
		const line = t(`slotupdate.${u.state}`, { version: u.version || t('slots.new') }) + (RUNS.includes(u.state) ? done : '');
		const next = restartAt ? ` ${t('slots.restarts', { at: when(restartAt) })}` : '';
		el.hidden = u.state === 'idle' && !restartAt;
		bar.hidden = !RUNS.includes(u.state);
		bar.set(u.total ? u.done / u.total : 0);
		if (shown === line + next + u.text)
			return;
		shown = line + next + u.text;
		clear(words, u.state !== 'idle' && [h('span', { class: 'tag' }, lamp(u.state === 'refused' ? 'bad' : u.state === 'installed' ? 'ok' : 'off'), line), u.state === 'refused' && h('div', null, ours(u.text))], next);
	};
	return el;
}

// Resolves to whether it was done.
async function act(words, path, body) {
	clear(words);
	try {
		await call('POST', `appliance/${path}`, body);
	} catch (e) {
		if (e.name !== 'AbortError')
			clear(words, refusal(e));
		return false;
	}
	say(t('slots.did'));
	return true;
}

// The file in pieces, as no request may be as long; `shown(sent)` after each. Resolves to the upload's number.
async function send(file, shown, signal) {
	const { upload, piece } = await call('POST', 'appliance/upload', { bytes: file.size }, { signal });
	let at = 0, fails = 0;
	signal.addEventListener('abort', () => call('DELETE', `appliance/upload?upload=${upload}`).catch(() => {}));
	while (at < file.size) {
		const bytes = new Uint8Array(await file.slice(at, at + piece).arrayBuffer());
		let text = '';
		for (let i = 0; i < bytes.length; i += 8192)
			text += String.fromCharCode(...bytes.subarray(i, i + 8192));
		try {
			({ at } = await call('POST', 'appliance/upload/piece', { upload, at, bytes: btoa(text) }, { signal }));
			fails = 0;
		} catch (e) {
			// A line that is cut for a moment; the same bytes may come twice.
			if (!(e instanceof Failure) || e.status !== 0 || ++fails > SEND_FAILS)
				throw e;
			await new Promise(done => setTimeout(done, 1000));
		}
		shown(at);
	}
	return upload;
}

function updateForm(words, look) {
	const url = h('input', { type: 'url', inputmode: 'url', placeholder: 'https://…/tarn.update', size: 40, oninput() { file.value = ''; } });
	const file = h('input', { type: 'file', accept: '.update', onchange() { url.value = ''; } }); // one of the two
	const sent = meter(t('slots.sent'), 0), sending = h('p', { role: 'status' }), stop = h('button', { type: 'button' }, t('slots.stop')), sends = h('div', { class: 'progress', hidden: true, id: 'slots-sends' }, sending, sent, stop);
	const time = h('input', { type: 'time', value: NIGHT, required: true, 'aria-label': t('slots.at.time') });
	const at = h('select', { onchange() { time.hidden = this.value !== 'at'; } }, ['at', 'now', 'no'].map(v => h('option', { value: v }, t(`slots.at.${v}`))));
	const button = h('button', { type: 'submit', class: 'main' }, t('slots.update'));
	// What is to be installed of it; null: it did not come to that.
	async function upload() {
		const f = file.files[0], control = new AbortController();
		stop.onclick = () => control.abort();
		clear(sending, t('slots.sending', { name: f.name, size: bytes(f.size) }));
		sent.set(0);
		sends.hidden = false;
		try {
			return { upload: await send(f, at => sent.set(at / f.size), control.signal) };
		} catch (e) {
			if (e.name !== 'AbortError')
				clear(words, e instanceof Failure ? refusal(e) : t('slots.unread', { name: f.name }));
			return null;
		} finally {
			sends.hidden = true;
		}
	}
	return h('form', {
		class: 'form',
		async onsubmit(e) {
			e.preventDefault();
			clear(words);
			if (!url.value && !file.files.length) {
				clear(words, t('slots.one'));
				return;
			}
			button.disabled = true;
			const from = file.files.length ? await upload() : { url: url.value };
			if (from && await act(words, 'update', { ...from, restart: at.value === 'at' ? utc(time.value) : at.value }))
				url.value = file.value = '';
			button.disabled = false;
			look();
		},
	}, h('h3', null, t('slots.update.title')), h('p', { class: 'note' }, t('slots.update.note')), field(t('slots.url'), url), field(t('slots.file'), file), sends,
	h('label', null, t('slots.restart.when'), h('span', { class: 'buttons' }, at, time)), h('div', { class: 'buttons' }, button));
}

export function appliance(context) {
	const operate = context.session.operate, words = h('p', { class: 'error', role: 'alert' });
	const head = h('p', { class: 'version' }), bar = progress(), past = h('ul', { class: 'lines' }), drive = h('p', { role: 'status' }), later = h('div', { class: 'buttons' });
	const slots = table([
		{ key: 'version', title: t('slots.version'), cell: s => [h('b', null, s.version || '–'), s.running && h('span', { class: 'chip ok' }, t('slots.running'))] },
		{ key: 'state', title: t('slots.state'), cell: s => h('span', { class: 'tag' }, lamp(SLOT_LAMPS[s.state] ?? 'off'), coded('slot', s.state)) },
		{ key: 'tries', title: t('slots.tries'), num: true, cell: s => num(s.tries_left) },
	], { caption: t('slots.title'), empty: t('slots.none') });
	const confirmed = async (what, path, body) => {
		if (await ask(t(`slots.${what}`), t(`slots.${what}.note`), t(`slots.${what}`), true) && await act(words, path, body))
			again();
	};
	const button = (what, path, body) => h('button', { type: 'button', class: what === 'reset' ? 'danger' : null, onclick: () => confirmed(what, path, body) }, t(`slots.${what}`));
	const software = panel(t('slots.title'), { id: 'slots', note: t('slots.note') }, head, slots, bar, words,
		operate && [updateForm(words, again), h('h3', null, t('slots.more')), h('div', { class: 'buttons' }, button('rollback', 'rollback', { restart: 'now' }), button('restart', 'restart', { restart: 'now' }), later, button('reset', 'reset', { confirm: 'factory-reset' }))]);
	const history = panel(t('slots.history'), { id: 'slots-history' }, drive, past);
	const none = panel(t('slots.title'), { id: 'slots-none' }, h('p', null, t('slots.foreign')));
	let last = 0, quick = false;

	function show(a) {
		clear(head, h('b', null, `Tarn ${a.version}`), ' ', a.on_trial && h('span', { class: 'chip warn' }, t('slots.trial')), h('div', { class: 'under' }, t('slots.factory', { version: a.factory || '–' })));
		slots.set([...a.slots].sort((x, y) => y.running - x.running));
		bar.set(a.update, a.restart_at);
		quick = RUNS.includes(a.update.state);
		clear(later, operate && a.restart_at && h('button', { type: 'button', onclick: () => act(words, 'restart', { restart: 'no' }).then(again) }, t('slots.unplan')));
		// Said anew only when it is another.
		if (drive.textContent !== (a.drive ?? ''))
			clear(drive, a.drive);
		drive.hidden = !a.drive;
		clear(past, !a.history.length && h('li', { class: 'note' }, t('table.empty')), [...a.history].reverse().map(e => h('li', { class: 'event' }, lamp(EVENT_LAMPS[e.event] ?? 'off'),
			h('span', null, coded('slotevent', e.event), e.version && [' ', h('b', null, e.version)], e.reason && h('div', { class: 'under' }, ours(e.reason))), h('span', { class: 'under', title: exactly(e.at) }, ago(e.at)))));
		software.hidden = history.hidden = false;
	}
	async function look(signal) {
		last = Date.now();
		none.hidden = await context.has('appliance');
		if (none.hidden)
			show(await get('appliance', { signal }));
	}
	// The next turn tells what is wrong.
	function again() {
		look().catch(() => {});
	}
	software.hidden = history.hidden = none.hidden = true;
	// Every second while something is on its way, else now and then.
	context.every(1000, async signal => {
		if (quick || Date.now() - last > 9500)
			await look(signal);
	});
	return [software, history, none];
}
