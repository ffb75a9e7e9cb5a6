// SPDX-License-Identifier: Apache-2.0
// The appliance's card against the real API. Started by appliance.sh, which takes down what is noted (SAY).
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { check, done, until } from './tap.mjs';

const { chromium } = createRequire(`${process.env.MODULES}/`)('playwright-core');
const { URL: url, PASSWORD: password, CHROMIUM: executablePath, PICTURES: pictures, SAY: pipe } = process.env;
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update'] });
const complaints = [];
mkdirSync(pictures, { recursive: true });

const note = (name, value) => writeFileSync(pipe, `${name} ${value === undefined ? '' : JSON.stringify(value)}\n`, { flag: 'a' });
function assert(truth, words) {
	if (!truth)
		throw new Error(words);
}

async function newPage(locale) {
	const context = await browser.newContext({ locale, viewport: { width: 1000, height: 900 }, ignoreHTTPSErrors: true, reducedMotion: 'reduce' });
	const page = await context.newPage();
	context.setDefaultTimeout(30000);
	page.on('pageerror', e => complaints.push(e.stack));
	page.on('console', m => { if (m.type() === 'error' && !/status of 4\d\d/.test(m.text())) complaints.push(m.text()); });
	await page.goto(url);
	await page.fill('input[type=password]', password);
	await page.click('button[type=submit]');
	await page.waitForSelector('nav');
	await page.evaluate(() => { location.hash = 'system'; });
	return page;
}
const shows = (page, at, ...words) => until(`${words} in ${at}`, async () => {
	const text = await page.textContent(at);
	return words.every(w => w instanceof RegExp ? w.test(text) : text.includes(w)) ? text : (() => { throw new Error(text); })();
});
async function ask(page, file) {
	await page.fill('#slots input[type=url]', `http://127.0.0.1:8080/${file}`);
	await page.click('#slots form button[type=submit]');
}

const page = await newPage('en-US');
await check('before pid 1 has noted that this is an appliance, there is no card of it', async () => {
	await until('the sentence', async () => await page.isVisible('#slots-none') && !await page.isVisible('#slots'));
});
const pid1 = {
	version: '2.1', factory: '2.0', on_trial: true, more: 1,
	slots: [{ version: '2.1', state: 'trying', tries_left: 2, running: true }, { version: '2.0', state: 'good', tries_left: null, running: false }],
};
note('appliance.json', pid1);
await check('slots, what runs, the trial and the factory\'s version are shown', async () => {
	await page.reload();
	await shows(page, '#slots', 'Tarn 2.1', 'on trial', 'running', 'The factory\'s version is 2.0');
	assert(await page.$$eval('#slots tbody tr', rows => rows.length) === 2, 'not two slots');
	await shows(page, '#slots-history', /\S/);
});
await check('a file that is no update is refused, in words', async () => {
	await ask(page, 'no.update');
	await shows(page, '#slots .progress', 'The update was refused', 'the file is not an update of Tarn');
});
await check('so is one that is not there', async () => {
	await ask(page, 'none');
	await shows(page, '#slots .progress', 'The update was refused', 'the server says 404');
	assert(await page.inputValue('#slots input[type=url]') === '', 'the address stays');
});
await check('what is no address of a web server is refused at once', async () => {
	await page.fill('#slots input[type=url]', 'file:///etc/shadow');
	await page.click('#slots form button[type=submit]');
	await shows(page, '#slots [role=alert]', 'url is http:// or https://');
});
await check('an update that another has begun is seen, with how far it is, and a second one is refused', async () => {
	note('lock');
	note('update.json', { state: 'writing', done: 9e6, total: 36e6, version: '2.2', text: '' });
	await shows(page, '#slots .progress', 'Writing 2.2', '25%', /8\.58\sMiB \/ 34\.3\sMiB/);
	await page.locator('#slots').screenshot({ path: `${pictures}/appliance-writing.png` });
	note('update.json', { state: 'writing', done: 27e6, total: 36e6, version: '2.2', text: '' });
	await shows(page, '#slots .progress', '75%');
	await ask(page, 'no.update');
	await shows(page, '#slots [role=alert]', 'under way');
});
await check('one that ends without a word is told as cut off', async () => {
	note('unlock');
	await shows(page, '#slots .progress', 'The update was refused', 'cut off before its end');
});
await check('a restart is planned by hand for later, shown, and taken back', async () => {
	await page.evaluate(async () => (await import('/page/api.js')).call('POST', 'appliance/restart', { restart: '03:00' }));
	await page.reload();
	await shows(page, '#slots .progress', 'The box restarts');
	await page.click('#slots button:has-text("Take back the planned restart")');
	await until('none', async () => !/The box restarts/.test(await page.textContent('#slots .progress')));
});
await check('a way back where there is none says why', async () => {
	await page.click('#slots button:has-text("Return to the other version")');
	await page.click('dialog button.danger, dialog button.main, dialog button[type=submit]');
	await shows(page, '#slots [role=alert]', /boot partition/);
});
await check('slots that change are seen without a reload', async () => {
	note('slots.json', [{ version: '2.1', state: 'good', tries_left: null, running: true }, { version: '2.2', state: 'bad', tries_left: 0, running: false }]);
	await shows(page, '#slots tbody', '2.2', 'bad');
});
await check('in Japanese: slots, refusals and progress', async () => {
	const other = await newPage('ja-JP');
	await shows(other, '#slots', 'Tarn 2.1', '2.2');
	await ask(other, 'no.update');
	const text = await shows(other, '#slots .progress', /Tarn の更新ファイルではありません/);
	assert(!/[a-z]{4,} [a-z]{2,} /.test(text), `English: ${text}`);
	await ask(other, 'none');
	await shows(other, '#slots .progress', '404');
	const lost = await other.textContent('#slots .progress');
	assert(!/[a-z]{4,} [a-z]{2,} /.test(lost), `English: ${lost}`);
	await other.locator('#slots').screenshot({ path: `${pictures}/appliance-ja.png` });
	await other.click('#slots .danger');
	await other.screenshot({ path: `${pictures}/appliance-reset-ja.png` });
});
await check('the browser has nothing to complain of', async () => assert(!complaints.length, complaints.join('\n')));
await browser.close();
done();
