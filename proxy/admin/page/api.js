// SPDX-License-Identifier: Apache-2.0
// The way to the API: one place for the session, the CSRF token and what goes wrong.

const BASE = '/api/v1/';
const missing = new Set();
let csrf = null, onLost = () => {};

export class Failure extends Error {
	constructor(status, body, after) {
		super(body?.error?.text ?? body?.text ?? body?.error ?? String(status));
		Object.assign(this, { status, body, after });
	}
}

export const setCsrf = token => { csrf = token; };
export const onSessionLost = f => { onLost = f; };

// Throws Failure; status 0 is: not reached. A 404 of a resource is remembered by has().
export async function call(method, path, body, { signal, quiet } = {}) {
	const headers = { Accept: 'application/json' };
	if (body !== undefined)
		headers['Content-Type'] = 'application/json';
	if (method !== 'GET' && csrf)
		headers['X-Tarn-CSRF'] = csrf;
	let answer, text;
	try {
		answer = await fetch(BASE + path, {
			method, headers, signal, credentials: 'same-origin', cache: 'no-store', redirect: 'error',
			body: body === undefined ? undefined : JSON.stringify(body),
		});
		text = await answer.text();
	} catch (e) {
		if (e.name === 'AbortError')
			throw e;
		throw new Failure(0, null);
	}
	let json = null;
	try {
		json = text ? JSON.parse(text) : null;
	} catch { /* an answer without JSON says it all by its status */ }
	if (answer.ok)
		return json;
	if (answer.status === 401 && !quiet)
		onLost();
	throw new Failure(answer.status, json, Number(answer.headers.get('Retry-After')) || 0);
}

export const get = (path, options) => call('GET', path, undefined, options);

// Is a resource there? Asked once; an answer of any kind but 404 and 405 means yes.
export async function has(path) {
	if (missing.has(path))
		return false;
	try {
		await get(path);
	} catch (e) {
		if (e.status === 404 || e.status === 405 || e.status === 501) {
			missing.add(path);
			return false;
		}
	}
	return true;
}

export const forget = () => missing.clear();

// Live figures by server-sent events. Returns a function that ends it; `lost` is called when there is no stream.
export function stream(path, handlers, lost) {
	const source = new EventSource(BASE + path);
	for (const [name, f] of Object.entries(handlers))
		source.addEventListener(name, e => {
			let data;
			try {
				data = JSON.parse(e.data);
			} catch {
				return;
			}
			f(data, e);
		});
	source.onerror = () => lost?.(source.readyState === EventSource.CLOSED);
	return () => source.close();
}

// Calls f now and then every `ms` until the returned function is called; waits while the tab is hidden.
export function every(ms, f) {
	let timer, ended = false;
	const control = new AbortController();
	async function turn() {
		if (!document.hidden)
			try {
				await f(control.signal);
			} catch (e) {
				if (e.name !== 'AbortError' && !(e instanceof Failure))
					throw e;
			}
		if (!ended)
			timer = setTimeout(turn, ms);
	}
	const soon = () => { if (!document.hidden) { clearTimeout(timer); turn(); } };
	document.addEventListener('visibilitychange', soon);
	turn();
	return () => {
		ended = true;
		clearTimeout(timer);
		control.abort();
		document.removeEventListener('visibilitychange', soon);
	};
}
