// SPDX-License-Identifier: Apache-2.0
// The page in a real Chromium, against a real tarn-proxy with real traffic: logging in, each view, accessibility,
// settings and their rollback, hostile text from everywhere, and pictures of it all. Started by browser.sh, which
// says in the environment where all is.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { check, skip, done, until } from './tap.mjs';

const require = createRequire(`${process.env.MODULES}/`);
const { chromium } = require('playwright-core'), axe = require('axe-core');
const { URL: url, PASSWORD: password, CHROMIUM: executablePath, PICTURES: pictures } = process.env;
const VIEWS = ['overview', 'devices', 'flows', 'cache', 'upstream', 'sync', 'events', 'https', 'settings', 'system'];
const WIDTHS = [360, 800, 1400];
const FEW_PICTURES = Boolean(process.env.FEW_PICTURES);
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const origin = new URL(url).origin;

function assert(truth, words) {
	if (!truth)
		throw new Error(words);
}

// ---- the browser: whatever it complains of, asks of others, or is tricked into is kept here ----------------------

const complaints = [], strangers = [];
const browser = await chromium.launch({ executablePath, args: FLAGS });

async function newPage({ locale = 'en-US', colorScheme = 'light', width = 1400, storageState } = {}) {
	const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 900 }, ignoreHTTPSErrors: true, storageState, reducedMotion: 'reduce' });
	context.setDefaultTimeout(60000);
	await context.addInitScript(() => {
		window.tarnXss = 0;
		document.addEventListener('securitypolicyviolation', e => console.error(`CSP ${e.violatedDirective} ${e.blockedURI}`));
	});
	const page = await context.newPage();
	page.on('pageerror', e => complaints.push(e.stack));
	// A refused log-in or a view that isn't there is a 4xx that the browser tells by itself.
	page.on('console', m => { if (m.type() === 'error' && !/status of 4\d\d|ERR_INTERNET_DISCONNECTED/.test(m.text())) complaints.push(m.text()); });
	page.on('dialog', d => { complaints.push(`a dialog: ${d.message()}`); d.dismiss(); });
	page.on('request', r => { if (!r.url().startsWith(origin)) strangers.push(r.url()); });
	return page;
}

async function logIn(page) {
	await page.goto(url);
	await page.fill('input[type=password]', password);
	await page.click('button[type=submit]');
	await page.waitForSelector('nav');
}

async function open(page, view) {
	await page.evaluate(v => { location.hash = v; }, view);
	await page.waitForSelector(`nav a[href="#${view}"][aria-current=page]`);
	await page.waitForFunction(() => document.querySelectorAll('main .panel, main .light, main .setting').length > 0);
}

const present = page => page.$$eval('nav a', list => list.map(a => a.getAttribute('href').slice(1)));
const api = (page, method, path, body) => page.evaluate(async ([m, p, b]) => {
	const { call } = await import('/page/api.js');
	return call(m, p, b);
}, [method, path, body]);

// ---- logging in --------------------------------------------------------------------------------------------------

const page = await newPage();

await check('a wrong password is refused in words, and the field has the focus again', async () => {
	await page.goto(url);
	await page.fill('input[type=password]', 'not the password');
	await page.click('button[type=submit]');
	await until('the refusal', async () => (await page.textContent('[role=alert]')).includes('not right'));
	assert(await page.evaluate(() => document.activeElement.type) === 'password', 'the focus is elsewhere');
});
await check('the right one opens the page', async () => {
	await logIn(page);
	await page.waitForSelector('.light .headline');
});
await check('the session is a cookie that scripts cannot read and other sites do not send', async () => {
	const cookies = await page.context().cookies();
	assert(cookies.length === 1, `${cookies.length} cookies`);
	const [c] = cookies;
	assert(c.httpOnly && c.secure && c.sameSite === 'Strict', JSON.stringify({ ...c, value: '' }));
});
await check('the policy allows nothing but the page itself', async () => {
	const headers = (await page.request.get(url)).headers(), csp = headers['content-security-policy'] ?? '';
	assert(/default-src 'none'/.test(csp) && /script-src 'self'(;|$)/.test(csp) && !/unsafe|\*|data:/.test(csp), csp);
	assert(headers['x-content-type-options'] === 'nosniff', 'no nosniff');
});

// ---- the views ---------------------------------------------------------------------------------------------------

const views = await present(page);

await check('the overview answers: is it working, what was saved', async () => {
	await open(page, 'overview');
	await until('the light', async () => (await page.textContent('.light .headline')) === 'Working');
	await until('requests', async () => Number((await page.textContent('.tile-figure:nth-child(4) .value')).replaceAll(',', '')) >= Number(process.env.REQUESTS));
});
for (const [view, words] of Object.entries({ cache: /MiB|KiB/, upstream: /acme/, https: /HTTPS/, system: /0\.\d/, devices: /127\.0\.0\.1/, events: /\d{4}/, flows: /127\.0\.0\.1.*big\.dat/s, settings: /workers/, sync: /Past syncs/ }))
	if (views.includes(view))
		await check(`the view of ${view} shows what is there`, async () => {
			await open(page, view);
			await until('its content', async () => words.test(await page.textContent('main')));
		});
	else
		skip(`the view of ${view}`, 'its API resource is not there yet');

await check('a view whose resource is not there is not there either', async () => {
	const other = await newPage({ storageState: await page.context().storageState() });
	await other.route('**/api/v1/events*', r => r.fulfill({ status: 404, body: '{}' }));
	await other.goto(url);
	await other.waitForSelector('nav');
	const list = await present(other);
	assert(!list.includes('events') && list.includes('overview'), list.join());
	await other.context().close();
});
await check('why: of a device, each rule in a row of its own', async () => {
	await open(page, 'devices');
	await page.click('#devices-list tbody tr:first-child button.plain');
	assert(await page.inputValue('#why input.mono') === '127.0.0.1', 'the device is not filled in');
	await page.fill('#why form label:nth-of-type(2) input', 'http://127.0.0.9/bases/base1.dat');
	await page.click('#why button');
	await until('the rules', async () => await page.locator('#why dd').count() > 4 && /127\.0\.0\.9 belongs to vendor acme/.test(await page.textContent('#why')));
});
await check('events are told in words', async () => {
	await open(page, 'events');
	await until('the log-in', async () => /Logged in from 127\.0\.0\.1/.test(await page.textContent('main')));
});

// ---- an appliance's software: its API as it answers in the image, from here ---------------------------------------

const HOSTILE_VERSION = '<img src=x onerror=tarnXss=1>';
const APPLIANCE = {
	version: '2.1', factory: '2.0', on_trial: true, restart_at: null,
	slots: [{ version: '2.1', state: 'trying', tries_left: 2, running: true }, { version: HOSTILE_VERSION, state: 'bad', tries_left: null, running: false }],
	history: [{ at: 1795690000000, event: 'refused', version: '1.9', reason: 'older than what runs' }, { at: 1795695000000, event: 'installed', version: '2.1', reason: '' }],
	update: { state: 'idle', done: 0, total: 0, version: '', text: '' },
};

// The page's box becomes an appliance that is `now`, an object to be changed; what is posted goes to `posts`.
async function becomeAppliance(other, now, posts) {
	await other.route('**/api/v1/appliance**', route => {
		const what = new URL(route.request().url()).pathname.split('/').slice(4).join('/');
		if (route.request().method() === 'GET')
			return route.fulfill({ json: now });
		posts.push([what, route.request().postDataJSON()]);
		return what === 'rollback' ? route.fulfill({ status: 409, json: { error: 'refused', text: 'the other slot is bad' } }) : route.fulfill({ status: 204 });
	});
	await other.goto(`${url}#system`);
	await other.reload();
	await other.waitForSelector('#slots tbody tr:nth-child(2)');
}
async function ceaseAppliance(other) {
	await other.unroute('**/api/v1/appliance**');
	await other.reload();
	await other.waitForSelector('nav');
}

await check('where there is no appliance, the page says so', async () => {
	await open(page, 'system');
	await until('the sentence', async () => await page.isVisible('#slots-none') && !await page.isVisible('#slots'));
});
await check('an appliance: slots, trial, history; hostile versions stay text', async () => {
	await becomeAppliance(page, APPLIANCE, []);
	const text = await page.textContent('#slots');
	assert(/Tarn 2\.1/.test(text) && /on trial/.test(text) && /2\.0/.test(text) && text.includes(HOSTILE_VERSION), text);
	assert(await page.evaluate(() => window.tarnXss) === 0, 'a script ran');
	assert(/Installed.*2\.1.*Refused.*1\.9.*older/s.test(await page.textContent('#slots-history')), await page.textContent('#slots-history'));
	await page.unroute('**/api/v1/appliance**');
});
await check('an update: what is sent, how far it is, a refusal, and a restart that is planned', async () => {
	const now = structuredClone(APPLIANCE), posts = [];
	await becomeAppliance(page, now, posts);
	await page.fill('#slots input[type=url]', 'https://updates.example/tarn.update');
	await page.fill('#slots input[type=time]', '04:30');
	now.update = { state: 'fetching', done: 1048576, total: 4194304, version: '2.2', text: '' };
	await page.click('#slots button.main');
	await until('the request', async () => posts.length === 1);
	const at = await page.evaluate(() => { const d = new Date(); d.setHours(4, 30, 0, 0); return d.toISOString().slice(11, 16); });
	assert(posts[0][0] === 'update' && posts[0][1].url === 'https://updates.example/tarn.update' && posts[0][1].restart === at, JSON.stringify(posts));
	await until('how far it is', async () => /2\.2.*25%/.test(await page.textContent('#slots .progress')));
	now.update = { state: 'refused', done: 0, total: 0, version: '2.2', text: 'its signature is not ours' };
	await until('the refusal', async () => /signature is not ours/.test(await page.textContent('#slots .progress')));
	now.update = { state: 'installed', done: 0, total: 0, version: '2.2', text: '' };
	now.restart_at = Date.now() + 3600000;
	await page.click('#slots button:text-is("Return to the other version")');
	await page.click('dialog button.danger');
	await until('why not', async () => /other slot is bad/.test(await page.textContent('#slots')));
	await until('the plan', async () => /The box restarts/.test(await page.textContent('#slots .progress')));
	await page.click('#slots button:text-is("Take back the planned restart")');
	await until('that it is taken back', async () => posts.some(([what, body]) => what === 'restart' && body.restart === 'no'));
	await page.click('#slots button:text-is("Factory reset")');
	await page.click('dialog button:not(.danger)');
	await page.click('#slots button:text-is("Factory reset")');
	await page.click('dialog button.danger');
	await until('the reset', async () => posts.filter(([what, body]) => what === 'reset' && body.confirm === 'factory-reset').length === 1);
	await ceaseAppliance(page);
});
await check('when the box is lost the page says so, and when it is back, that', async () => {
	await open(page, 'overview');
	await page.context().setOffline(true);
	await until('the bad light', async () => (await page.textContent('.light .headline')).includes('does not answer'));
	await page.context().setOffline(false);
	await until('the good light', async () => (await page.textContent('.light .headline')) === 'Working');
});

// ---- keyboard ----------------------------------------------------------------------------------------------------

await check('keyboard: the first stop leads to the content, heads sort, plots can be read', async () => {
	await open(page, 'system');
	await page.reload();
	await page.waitForSelector('#counters tbody tr');
	await page.keyboard.press('Tab');
	assert(await page.evaluate(() => document.activeElement.className) === 'skip', 'the first stop is not the skip link');
	await page.keyboard.press('Enter');
	assert(await page.evaluate(() => document.activeElement.id) === 'main', 'it does not lead to main');
	await page.focus('#counters thead th:nth-child(2) button');
	await page.keyboard.press('Enter');
	assert(await page.getAttribute('#counters thead th:nth-child(2)', 'aria-sort') === 'descending', 'not sorted');
	await open(page, 'overview');
	await page.focus('#live [role=slider]');
	await until('live figures', async () => (await page.getAttribute('#live [role=slider]', 'aria-valuetext')).includes('bit/s'));
	await until('an older figure', async () => {
		await page.keyboard.press('Home');
		return await page.getAttribute('#live [role=slider]', 'aria-valuenow') === '0';
	});
});
await check('a table filters, and says how much is left', async () => {
	await open(page, 'system');
	await page.fill('#counters input[type=search]', 'conn.accepted');
	await until('one row', async () => await page.locator('#counters tbody tr').count() === 1);
	assert(/1 of/.test(await page.textContent('#counters .count')), await page.textContent('#counters .count'));
});

// ---- hostile text ------------------------------------------------------------------------------------------------

await check('hostile text from URLs, hosts, names and index contents stays text', async () => {
	for (const view of views) {
		await open(page, view);
		await page.waitForTimeout(300);
		assert(await page.evaluate(() => window.tarnXss) === 0, `a script ran in ${view}`);
		assert(await page.locator('main img, main script, main iframe, main b[onclick], main a[href^=javascript]').count() === 0, `an element came from a text in ${view}`);
	}
});
await check('... also should the box itself tell it: of devices, vendors, objects, flows and events', async () => {
	const evil = '"><img src=x onerror=tarnXss=1><svg onload=tarnXss=1>';
	// Every text of an answer is hostile, but those that code is chosen by.
	const poison = (value, key) => typeof value === 'string' ? (/^(state|status|outcome|kind|code|what|name|csrf|role|at|level|error|type|method)$/.test(key) ? value : value + evil)
		: Array.isArray(value) ? value.map(v => poison(v, key)) : value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, k)])) : value;
	const other = await newPage({ storageState: await page.context().storageState() });
	let poisoned = 0;
	await other.route(/\/api\/v1\/(devices|objects|upstreams|dns|flows|events|sync|repository|tls|status)/, async route => {
		if (/stream|follow|ca\.crt/.test(route.request().url()))
			return route.continue();
		const answer = await route.fetch();
		let json;
		try {
			json = await answer.json();
		} catch {
			return route.fulfill({ response: answer });
		}
		for (const d of json.devices ?? [])
			d.name = `laptop${evil}`;
		poisoned++;
		return route.fulfill({ response: answer, json: poison(json, '') });
	});
	await other.goto(url);
	await other.waitForSelector('nav');
	for (const view of views) {
		await open(other, view);
		await other.waitForTimeout(300);
		assert(await other.evaluate(() => window.tarnXss) === 0, `a script ran in ${view}`);
		assert(await other.locator('main img, main script, main iframe, main svg[onload]').count() === 0, `an element came from a text in ${view}`);
	}
	await open(other, 'devices');
	await until('the name, as text', async () => (await other.textContent('main')).includes(`laptop${evil}`));
	assert(poisoned >= views.length, `only ${poisoned} answers`);
	await other.context().close();
});
await check('... and it was there to be shown', async () => {
	await open(page, 'cache');
	await page.fill('#why input', `${process.env.HOSTILE}`);
	await page.click('#why button');
	await until('the answer', async () => /tarnXss/.test(await page.textContent('#why')));
	assert(await page.evaluate(() => window.tarnXss) === 0, 'a script ran');
});

// ---- settings ----------------------------------------------------------------------------------------------------

const valueOf = async id => (await api(page, 'GET', 'settings')).settings.find(s => `${s.section}.${s.key}` === id).value;

// Each change waits for this.
async function confirm() {
	await page.click('#pending button.main');
	await until('the end of waiting', async () => !await page.locator('#pending').count());
	await until('its being kept', async () => (await api(page, 'GET', 'settings')).pending == null);
}

if (views.includes('settings') && process.env.SETTINGS) {
	await check('a setting is changed, shown as changed, and undone', async () => {
		await open(page, 'settings');
		await page.selectOption('#set-log-level', 'debug');
		assert(/log\.level: .* → debug/.test(await page.textContent('#changes')), await page.textContent('#changes'));
		await page.click('#changes button.main');
		await until('the change', async () => await valueOf('log.level') === 'debug');
		await confirm();
		await page.click('text=Undo the last change');
		await until('the old value', async () => await valueOf('log.level') !== 'debug');
	});
	await check('a wrong value is refused at its field, and nothing is changed', async () => {
		await open(page, 'settings');
		const before = await valueOf('proxy.workers');
		await page.fill('#set-proxy-workers', '9999');
		await page.click('#changes button.main');
		await until('the reason', async () => (await page.textContent('#set-proxy-workers-error')).length > 5);
		assert(await page.getAttribute('#set-proxy-workers', 'aria-invalid') === 'true', 'not marked');
		assert(await valueOf('proxy.workers') === before, 'it was taken');
		await page.click('#changes button:not(.main)');
	});
	await check('a change that may cut off the admin stays when it is confirmed', async () => {
		const [section, key] = process.env.CUTTING.split('.');
		await open(page, 'settings');
		await page.fill(`#set-${section}-${key}`, process.env.CUTTING_VALUE);
		await page.click('#changes button.main');
		await confirm();
		assert(await valueOf(process.env.CUTTING) === process.env.CUTTING_VALUE, 'it was taken back');
	});
	await check('... and is taken back by itself when it is not', async () => {
		const [section, key] = process.env.CUTTING.split('.');
		await api(page, 'PATCH', 'settings', { 'admin.confirm': '8s' });
		await api(page, 'POST', 'settings/confirm');
		await open(page, 'settings');
		const before = await valueOf(process.env.CUTTING);
		await page.fill(`#set-${section}-${key}`, process.env.CUTTING_OTHER);
		await page.click('#changes button.main');
		await page.waitForSelector('#pending');
		assert(/\d+ s left/.test(await page.textContent('#pending')), await page.textContent('#pending'));
		await until('the old value', async () => await valueOf(process.env.CUTTING) === before && !await page.locator('#pending').count());
	});
} else {
	skip('settings, refusals, rollback', 'without root there is no tarnd, which writes them');
}

// ---- every view, in both languages and colours: accessible, within its width, and a picture ----------------------

mkdirSync(pictures, { recursive: true });
async function tour(locale, lang, colorScheme) {
	const other = await newPage({ locale, colorScheme, storageState: await page.context().storageState() });
	await other.goto(url);
	await other.waitForSelector('nav');
	await check(`${lang}: the page speaks the browser's language`, async () => assert(await other.getAttribute('html', 'lang') === lang, 'another'));
	for (const [i, view] of VIEWS.filter(v => views.includes(v)).entries())
		await check(`${lang}: ${view}: accessible by axe, no wider than the screen, a picture taken`, async () => {
			await open(other, view);
			await other.waitForTimeout(250);
			if (view === 'flows')
				await other.waitForSelector('main tbody tr:not(.none)');
			await other.evaluate(axe.source);
			const { violations } = await other.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
			for (const width of WIDTHS) {
				await other.setViewportSize({ width, height: 900 });
				await other.waitForTimeout(60);
				const wide = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
				if (!FEW_PICTURES || width === WIDTHS[i % WIDTHS.length])
					await other.screenshot({ path: `${pictures}/${view}-${lang}-${colorScheme}-${width}.png`, fullPage: true });
				assert(wide <= 0, `${wide} pixels too wide at ${width}`);
				const scrolled = await other.evaluate(() => Math.max(0, ...[...document.querySelectorAll('main .scroll')].map(e => e.scrollWidth - e.clientWidth)));
				assert(!['flows', 'devices', 'cache'].includes(view) || scrolled <= 0, `a table is ${scrolled} pixels too wide at ${width}`);
			}
			assert(!violations.length, violations.map(v => `${v.id}: ${v.help}: ${v.nodes.map(x => x.target).join(' ')}`).join('\n'));
			const raw = (await other.textContent('main')).match(/\b(?:view|fault|health|tile|table|settings|sync|reach|devices|flows|flow|flowstate)\.[a-z]+(?:\.[a-z]+)*\b/g);
			assert(['settings', 'system', 'events'].includes(view) || !raw, `words are missing: ${raw}`);
		});
	await check(`${lang}: an appliance's software: accessible by axe, no wider than the screen, a picture taken`, async () => {
		const now = structuredClone(APPLIANCE);
		Object.assign(now, { update: { state: 'writing', done: 3e7, total: 36e6, version: '2.2', text: '' }, restart_at: Date.now() + 3600000 });
		now.slots[1].version = '2.0.7';
		await becomeAppliance(other, now, []);
		await other.evaluate(axe.source);
		const { violations } = await other.evaluate(() => window.axe.run(document.getElementById('slots'), { resultTypes: ['violations'] }));
		for (const width of WIDTHS) {
			await other.setViewportSize({ width, height: 900 });
			assert(await other.evaluate(() => document.documentElement.scrollWidth - innerWidth) <= 0, `too wide at ${width}`);
			if (!FEW_PICTURES || width === WIDTHS[0])
				await other.locator('#slots').screenshot({ path: `${pictures}/software-${lang}-${colorScheme}-${width}.png` });
		}
		await ceaseAppliance(other);
		assert(!violations.length, violations.map(v => `${v.id}: ${v.help}: ${v.nodes.map(x => x.target).join(' ')}`).join('\n'));
	});
	await check(`${lang}: the other contrast, too`, async () => {
		await other.evaluate(axe.source); // the page was loaded anew
		await other.emulateMedia({ colorScheme: colorScheme === 'dark' ? 'light' : 'dark' });
		for (const view of ['overview', 'settings', 'devices'].filter(v => views.includes(v))) {
			await open(other, view);
			await other.waitForTimeout(200);
			const { violations } = await other.evaluate(() => window.axe.run(document, { runOnly: ['color-contrast'] }));
			assert(!violations.length, violations.map(v => v.nodes.map(x => `${x.target} ${x.failureSummary}`).join(' ')).join('\n'));
		}
	});
	await other.context().close();
}
await Promise.all([tour('en-US', 'en', 'light'), tour('ja-JP', 'ja', 'dark')]);
await check('the language is chosen on the page and remembered', async () => {
	await page.selectOption('.top select', 'ja');
	await until('Japanese', async () => (await page.textContent('h1')) !== '' && await page.getAttribute('html', 'lang') === 'ja');
	await page.reload();
	await until('Japanese again', async () => await page.getAttribute('html', 'lang') === 'ja');
	await page.waitForSelector('.top select');
	await page.selectOption('.top select', 'en');
});

// ---- the end of a session ----------------------------------------------------------------------------------------

await check('logging out ends the session', async () => {
	const state = await page.context().storageState();
	await page.waitForSelector('.out');
	await page.click('.out');
	await page.waitForSelector('input[type=password]');
	const other = await newPage({ storageState: state });
	await other.goto(url);
	await other.waitForSelector('input[type=password]');
	await other.context().close();
});
await check('the log-in is accessible, too', async () => {
	await page.evaluate(axe.source);
	const { violations } = await page.evaluate(() => window.axe.run());
	for (const width of WIDTHS) {
		await page.setViewportSize({ width, height: 900 });
		await page.screenshot({ path: `${pictures}/login-en-light-${width}.png` });
	}
	assert(!violations.length, violations.map(v => `${v.id}: ${v.nodes.map(x => x.target).join(' ')}`).join('\n'));
});
await check('20 wrong passwords: the page says to wait, and the right one has to wait, too', async () => {
	const attempt = async word => {
		await page.fill('input[type=password]', word);
		await page.click('button[type=submit]');
		await page.waitForSelector('button[type=submit]:not([disabled])');
		return page.textContent('[role=alert]');
	};
	for (let i = 0; i < 20; i++)
		await attempt(`wrong ${i}`);
	// Long enough that the next attempt comes within it on a slow machine, too.
	await until('a longer wait', async () => Number(/Wait (\d+)/.exec(await attempt('wrong'))?.[1]) >= 3);
	assert(/Wait/.test(await attempt(password)), 'the right one was let in');
});

await check('the browser had nothing to complain of', async () => assert(!complaints.length, [...new Set(complaints)].join('\n')));
await check('nothing was asked of anybody else', async () => assert(!strangers.length, strangers.join('\n')));
await browser.close();
done();
