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
	page.on('console', m => { if (m.type() === 'error' && !/status of 4\d\d|ERR_FAILED/.test(m.text())) complaints.push(m.text()); });
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
const choose = (at, name, buffer) => at.setInputFiles('#slots input[type=file]', { name, mimeType: 'application/octet-stream', buffer });
const submit = at => at.click('#slots form button[type=submit]');
const settled = at => at.waitForSelector('#slots form button[type=submit]:enabled');
await check('a file of the computer is sent, piece by piece, and judged like any other', async () => {
	const body = Buffer.alloc(3e6, 1);
	body.write('TARN-UPDATE 1\n');
	let pieces = 0, most = 0;
	const count = request => { if (request.url().endsWith('/piece')) { pieces++; most = Math.max(most, request.postData().length); } };
	page.on('request', count);
	await choose(page, 'mine.update', body);
	await submit(page);
	await shows(page, '#slots-sends', 'mine.update', /2\.86\sMiB/);
	await page.locator('#slots').screenshot({ path: `${pictures}/appliance-sending.png` });
	await shows(page, '#slots .progress', 'The update was refused', 'boot partition');
	page.off('request', count);
	assert(pieces === Math.ceil(3e6 / 45000) && most < 65536, `${pieces} pieces, ${most} bytes at most`);
	assert(await page.isHidden('#slots-sends'), 'the bar stays');
	assert(await page.inputValue('#slots input[type=file]') === '', 'the file stays');
});
await check('a cut line is gone over, and the same bytes may come twice', async () => {
	const body = Buffer.alloc(200000, 2);
	body.write('TARN-UPDATE 1\n');
	let cuts = 0;
	// The answer of the second piece is lost: the box has it.
	await page.route('**/upload/piece', async route => { if (cuts++ === 1) { await route.fetch(); await route.abort(); } else await route.continue(); });
	await choose(page, 'cut.update', body);
	await submit(page);
	await settled(page);
	await shows(page, '#slots .progress', 'The update was refused', 'boot partition');
	await page.unroute('**/upload/piece');
	assert(cuts === 6, `${cuts} requests`);
});
await check('a file that is no update is refused with its first bytes', async () => {
	await choose(page, 'holiday.jpg', Buffer.alloc(3e6, 3));
	await submit(page);
	await shows(page, '#slots [role=alert]', 'the file is not an update of Tarn');
	await choose(page, '<img src=x onerror=alert(1)>.update', Buffer.alloc(100, 3));
	await submit(page);
	await shows(page, '#slots [role=alert]', 'an update has 4096 to 268435456 bytes');
});
await check('an upload is stopped', async () => {
	const body = Buffer.alloc(2e7, 4);
	body.write('TARN-UPDATE 1\n');
	await choose(page, 'long.update', body);
	await submit(page);
	await page.click('#slots-sends button');
	await until('the bar goes', async () => await page.isHidden('#slots-sends') || (() => { throw new Error('it is there'); })());
	assert(await page.textContent('#slots [role=alert]') === '', 'it complains');
});
await check('a file takes the place of an address, an address that of a file; neither is asked for', async () => {
	await page.fill('#slots input[type=url]', 'http://127.0.0.1:8080/none');
	await choose(page, 'mine.update', Buffer.alloc(5000));
	assert(await page.inputValue('#slots input[type=url]') === '', 'the address stays');
	await page.fill('#slots input[type=url]', 'http://127.0.0.1:8080/none');
	assert(await page.inputValue('#slots input[type=file]') === '', 'the file stays');
	await page.fill('#slots input[type=url]', '');
	await submit(page);
	await shows(page, '#slots [role=alert]', 'Name an address, or choose a file');
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
