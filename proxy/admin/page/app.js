// SPDX-License-Identifier: Apache-2.0
// The frame: log-in, navigation, language, colours, and which view is on. A view is {id, path, make(context)}:
// `path` is the API's resource that it stands on; where that is not there, the view isn't either.
import { h, svg, clear, say, lamp } from './dom.js';
import { t, chooseLanguage, language, LANGUAGES, remember, recall } from './i18n.js';
import { get, has, every, forget, onSessionLost } from './api.js';
import { readSession, loginView, logout, passwordDialog } from './session.js';
import { judge } from './health.js';
import { watchPending } from './pending.js';
import overview from './overview.js';
import devices from './devices.js';
import flows from './flows.js';
import cache from './cache.js';
import upstream from './upstream.js';
import sync from './sync.js';
import events from './events.js';
import settings from './settings.js';
import https from './https.js';
import system from './system.js';

const VIEWS = [overview, devices, flows, cache, upstream, sync, events, https, settings, system];
const THEMES = ['auto', 'light', 'dark'];
const app = document.getElementById('app');
let session = null, ends = [], frameEnds = [];

function theme(next) {
	if (next === 'auto')
		document.documentElement.removeAttribute('data-theme');
	else
		document.documentElement.setAttribute('data-theme', next);
	remember('tarn.theme', next);
}

function languageSelect() {
	return h('select', { 'aria-label': t('frame.language'), lang: '', onchange() { chooseLanguage(this.value); show(); } },
		LANGUAGES.map(([id, name]) => h('option', { value: id, lang: id, selected: id === language() }, name)));
}

function themeSelect() {
	const now = recall('tarn.theme') ?? 'auto';
	return h('select', { class: 'theme', 'aria-label': t('frame.theme'), onchange() { theme(this.value); } },
		THEMES.map(id => h('option', { value: id, selected: id === now }, t(`theme.${id}`))));
}

function endView() {
	for (const end of ends.splice(0))
		end();
}

function endAll() {
	endView();
	for (const end of frameEnds.splice(0))
		end();
}

function openView(views, main, links, focus) {
	const view = views.find(v => v.id === location.hash.slice(1).split('/')[0]) ?? views[0];
	endView();
	for (const [id, a] of links)
		if (id === view.id)
			a.setAttribute('aria-current', 'page');
		else
			a.removeAttribute('aria-current');
	links.get(view.id).scrollIntoView({ block: 'nearest', inline: 'nearest' });
	document.title = `${t(`view.${view.id}`)} – Tarn`;
	clear(main, h('h1', null, t(`view.${view.id}`)));
	// `alive`: what a view starts ends with it.
	main.append(view.make({ session, every: (ms, f) => ends.push(every(ms, f)), ending: f => ends.push(f), has }));
	if (focus) {
		scrollTo(0, 0);
		main.focus({ preventScroll: true });
		say(t(`view.${view.id}`));
	}
}

async function frame() {
	const present = await Promise.all(VIEWS.map(v => !v.path || has(v.path)));
	const views = VIEWS.filter((_, i) => present[i]);
	const main = h('main', { id: 'main', tabindex: -1 });
	const links = new Map(views.map(v => [v.id, h('a', { href: `#${v.id}` }, t(`view.${v.id}`))]));
	const state = h('a', { class: 'state', href: '#overview' });
	const banners = h('div');
	endAll();
	clear(app, h('div', { class: 'frame' },
		h('a', { class: 'skip', href: '#main', onclick(e) { e.preventDefault(); main.focus(); } }, t('frame.skip')),
		h('header', { class: 'top' },
			h('div', { class: 'brand' }, h('img', { src: '/page/icon.svg', alt: '' }), h('span', null, 'Tarn')), state,
			h('div', { class: 'gap' }), languageSelect(), themeSelect(),
			session.real && h('button', { type: 'button', class: 'out', 'aria-label': t('session.out'), onclick: logout },
				svg('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, svg('path', { d: 'M6.5 2.5h-4v11h4M6 8h8M11 5l3 3-3 3' })), h('span', null, t('session.out')))),
		h('nav', { 'aria-label': t('frame.views') }, h('ul', null, views.map(v => h('li', null, links.get(v.id))))),
		main));
	const turn = focus => { openView(views, main, links, focus); main.prepend(banners); };
	const onHash = () => turn(true);
	addEventListener('hashchange', onHash);
	frameEnds.push(() => removeEventListener('hashchange', onHash));
	let last = null;
	frameEnds.push(every(5000, async signal => {
		let health;
		try {
			health = judge(await get('status', { signal }));
		} catch (e) {
			if (e.name === 'AbortError')
				return;
			health = judge(null);
		}
		if (health.state + health.headline === last)
			return;
		clear(state, lamp(health.state), h('span', null, health.headline));
		if (last != null)
			say(health.headline);
		last = health.state + health.headline;
	}));
	frameEnds.push(watchPending(banners, session));
	if (session.mustChange)
		passwordDialog(session);
	turn(false);
}

export async function show() {
	endAll();
	forget();
	try {
		session = await readSession();
	} catch {
		clear(app, h('p', { class: 'lone', role: 'alert' }, lamp('bad'), ` ${t('frame.unreached')} `,
			h('button', { type: 'button', onclick: show }, t('frame.again'))));
		return;
	}
	if (session.wanted)
		clear(app, loginView([languageSelect(), themeSelect()], show));
	else
		await frame();
}

onSessionLost(() => { if (session && !session.wanted) show(); });
theme(recall('tarn.theme') ?? 'auto');
chooseLanguage();
show();
