// SPDX-License-Identifier: Apache-2.0
// The page's words, without a browser: both languages have the same keys with the same {values} in the same order,
// none is empty, and whatever the modules ask for by a plain name is there.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { check, done } from './tap.mjs';

// words.mjs PAGE SETTINGS COUNTERS: the page's files, what tarnctl --json config show says, and a running server's counters.
const dir = process.argv[2];
// As data: .js files need no package.json to be modules then.
const load = async name => (await import(`data:text/javascript,${encodeURIComponent(readFileSync(`${dir}/${name}.js`, 'utf8'))}`)).default;
const en = await load('en'), ja = await load('ja');
const keys = Object.keys(en);

function none(list, words) {
	if (list.length)
		throw new Error(`${words}: ${list.join(', ')}`);
}
const holes = s => [...s.matchAll(/\{\w+\}/g)].map(m => m[0]).sort().join();

await check('both languages have the same words', () => {
	const theirs = Object.keys(ja).filter(k => !k.startsWith('set.')), ours = keys.filter(k => !k.startsWith('set.'));
	none(ours.filter(k => !(k in ja)), 'not in ja.js');
	none(theirs.filter(k => !(k in en)), 'not in en.js');
	none(ours.filter((k, i) => theirs[i] !== k), 'in another place');
});
await check('with the same values in them, and none is empty', () => {
	none(keys.filter(k => holes(en[k]) !== holes(ja[k])), 'other values');
	none([...Object.keys(ja).filter(k => !ja[k]), ...keys.filter(k => !en[k])], 'empty');
});
await check('every word that a module names is there', () => {
	const missing = [];
	for (const file of readdirSync(dir).filter(f => f.endsWith('.js')))
		for (const [, key] of readFileSync(`${dir}/${file}`, 'utf8').matchAll(/\bt\('([\w.]+)'/g))
			if (!(key in en))
				missing.push(`${file}: ${key}`);
	none(missing, 'missing');
});
await check('every setting is explained in Japanese, too', () => {
	const { settings } = JSON.parse(readFileSync(process.argv[3], 'utf8'));
	// As settings.js marks a text (FNV-1a, 32 bits): when the server's words change the translation is looked at again.
	const mark = words => [...Buffer.from(words)].reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5).toString(36);
	const wanted = settings.map(s => `set.${s.section}.${s.key}.${mark(s.help)}`);
	if (wanted.length < 50)
		throw new Error(`only ${wanted.length} settings`);
	none(wanted.filter(k => !(k in ja)), 'not in ja.js');
	none(Object.keys(ja).filter(k => k.startsWith('set.') && !wanted.includes(k)), 'of no setting as it is now');
	none([...new Set(settings.map(s => `section.${s.section}`))].filter(k => !(k in en)), 'not in en.js');
});
// The literals of a C file, joined as the compiler does, conversions as {0}, {1} ...; comments and includes are none.
function literals(file) {
	const code = readFileSync(file, 'utf8').replace(/\\\n/g, '').replace(/^#include.*/gm, '').replace(/'\\?"'/g, "'q'")
		.replace(/("(?:[^"\\]|\\.)*")|\/\*.*?\*\//gs, (all, string) => string ?? '');
	return [...code.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/g)].map(([all]) => {
		let n = 0;
		return [...all.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(m => m[1]).join('').replaceAll('\\"', '"').replace(/%[.*0-9jlz]*[dus]/g, () => `{${n++}}`);
	});
}
const root = `${dir}/../../..`, said = await load('said_ja');
const whys = readdirSync(`${root}/proxy/why`).filter(f => f.endsWith('.c')).flatMap(f => literals(`${root}/proxy/why/${f}`));
// The last of a table's row is its sentence.
const rows = file => readFileSync(`${root}/${file}`, 'utf8').replace(/\\\n|\/\*.*?\*\//gs, '').match(/\bX\((?:"(?:[^"\\]|\\.)*"|[^()"])*\)/g)
	.map(row => [...row.matchAll(/"((?:[^"\\]|\\.)*)"/g)].at(-1)?.[1]).filter(Boolean);
await check('what `why` says is said in Japanese, too', () => {
	// Names of fields, places in the settings, and durations are the same.
	const plain = /^(\[scope\]|setting |RFC |if |stored as$|does not list|is empty: |If-|ETag |Last-|, Last-|Host: |GET |, $|\{s:|\/)|^\{0\} (s|min|h|d)\b/;
	const wanted = whys.filter(s => / /.test(s.trim()) && !plain.test(s));
	if (wanted.length < 60)
		throw new Error(`only ${wanted.length} sentences`);
	none(wanted.filter(s => !(s in said)), 'not in said_ja.js');
	for (const file of ['proxy/policy/reason.h', 'proxy/tls/decide.h', 'firmware/boot/update.h']) {
		const sentences = rows(file);
		if (sentences.length < 15)
			throw new Error(`only ${sentences.length} rows in ${file}`);
		none(sentences.filter(s => !(s in said)), `${file}, not in said_ja.js`);
	}
});
// A sentence of a C file: it has words, and is no line of a log, no format of JSON and no path.
const isSentence = s => / [a-z]/.test(s) && !/^(\{s:|\/|; |[a-z_]+=)|^\W*$/.test(s);
await check('what refuses settings, and why nothing is intercepted, is said in Japanese, too', () => {
	const from = {
		'firmware/base/settings_value.c': /^(a (?!setting)|0, or |an |bytes|networks|ports,|servers|IP addresses)/, 'firmware/keeper/change.c': /^(is set|fits|the file is|the file can|a change waits|not all|nothing waits|there is nothing)/,
		'firmware/keeper/keeper_config.c': /./, 'firmware/keeper/arm.c': /./, 'firmware/keeper/aim.c': /^\[scope\] can/, 'firmware/keeper/keeper_steer.c': /^what /,
		'firmware/boot/download.c': /^(the |it has|tarn-proxy)/, 'firmware/keeper/appliance.c': /^(an update|tarnctl |this machine|url is|restart is)/, 'firmware/ctl/appliance.c': /^(by hand|the (restart|factory|boot p|state p))/,
		'firmware/keeper/selftest.c': /^(what |of what|connections|the answers|no worker|the connection|something else|it is closed|the store|nothing is)/, 'proxy/admin/api_settings.c': /./,
	};
	const page = new Set(keys.filter(k => k.startsWith('whynot.')).map(k => k.slice(7)));
	for (const [file, wanted] of Object.entries(from)) {
		const sentences = literals(`${root}/${file}`).map(s => s.replace(/^\{0\}: /, '').replace(/\{(\d+)\}/g, (all, n) => s.startsWith('{0}: ') ? `{${n - 1}}` : all)).filter(s => isSentence(s) && wanted.test(s));
		if (!sentences.length)
			throw new Error(`no sentence in ${file}`);
		none(sentences.filter(s => !(s in said) && !page.has(s)), `${file}, not in said_ja.js`);
	}
	const calls = (file, name) => [...readFileSync(`${root}/${file}`, 'utf8').matchAll(new RegExp(`${name}\\([^;]*;`, 'gs'))].map(m => m[0]);
	const inText = code => { let n = 0; return [...code.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/g)].map(([all]) => [...all.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(m => m[1]).join('').replaceAll('\\"', '"').replace(/%[.*0-9jlz]*[dus]/g, () => `{${n++}}`)); };
	const net = calls('firmware/net/net.c', 'return refuse').map(c => inText(c)[0]).filter(isSentence);
	const refusals = readdirSync(`${root}/proxy/admin`).filter(f => f.endsWith('.c')).flatMap(f => calls(`proxy/admin/${f}`, 'admin_answer_error').map(c => inText(c).filter(isSentence)[0])).filter(s => s && !s.startsWith('confirm '));
	if (net.length < 6 || refusals.length < 50)
		throw new Error(`only ${net.length} and ${refusals.length} refusals`);
	none([...new Set([...net, ...refusals])].filter(s => !(s in said) && !/^an interface $/.test(s)), 'refusals, not in said_ja.js');
});
await check('a refusal is known by its form, its values stay, and what is not known stays whole', async () => {
	globalThis.document = { documentElement: {} };
	globalThis.localStorage = { getItem: () => null, setItem() {} };
	const words = name => readFileSync(`${dir}/${name}.js`, 'utf8');
	const data = text => `data:text/javascript,${encodeURIComponent(text)}`;
	const i18n = await import(data(words('i18n').replace(/from '\.\/(\w+)\.js'/g, (all, name) => `from "${data(words(name))}"`)));
	const is = (text, want) => { if (i18n.ours(text) !== want) throw new Error(`${text}: ${i18n.ours(text)}`); };
	is('size = "much" is not valid; allowed: bytes, as 4096, 64K, 20M, 3G or 1T', 'size = "much" is not valid; allowed: bytes, as 4096, 64K, 20M, 3G or 1T');
	i18n.chooseLanguage('ja');
	is('size = "much" is not valid; allowed: bytes, as 4096, 64K, 20M, 3G or 1T', 'size = "much" は使えません。使用できる値: バイト数（例: 4096、64K、20M、3G、1T）');
	is('confirm = "1" is not valid; allowed: a time, as 250ms, 4s, 5m, 1h or 2d, from 5000 to 3600000 ms', 'confirm = "1" は使えません。使用できる値: 時間（例: 250ms、4s、5m、1h、2d）、5000 ～ 3600000 ミリ秒');
	is('lan0: connections are let pass: no listener', 'lan0: 接続が素通しになっています: 受け付けるソケットがありません');
	is('lan0: a tc filter (bpf 0x2) stands before ours', 'lan0: tc フィルター（bpf 0x2） が Tarn より先に処理しています');
	is('vendor acme: not checked yet', 'vendor acme: 未確認');
	is('it can\'t be fetched: the server says 404', '取得できません: サーバーの応答: 404');
	is('[steer] lan: there is no interface \'eth9 $& {0}\'', '[steer] lan: インターフェース「eth9 $& {0}」はありません');
	for (const text of ['nobody says this: never', '', 'x: y: z', '{0}', '(.*?) is not valid'])
		is(text, text);
});
await check('what each counter counts is said in Japanese, too', async () => {
	const { counters } = JSON.parse(readFileSync(process.argv[4], 'utf8')), theirs = await load('counters_ja'), all = { ...said, ...theirs };
	if (counters.length < 250)
		throw new Error(`only ${counters.length} counters`);
	none(counters.filter(c => !(c.help in all)).map(c => `${c.name}: ${c.help}`), 'not in counters_ja.js');
	none(Object.keys(theirs).filter(s => !counters.some(c => c.help === s)), 'of no counter as it is now');
	none(Object.keys(theirs).filter(s => !theirs[s]), 'empty');
});
await check('nothing is translated that nobody says', () => {
	const files = ['bpf', 'proxy/admin', 'firmware/keeper', 'firmware/base', 'firmware/ctl', 'firmware/boot', 'firmware/net', 'firmware/steer', 'proxy/dns', 'proxy/http', 'proxy/policy', 'proxy/tls', 'proxy/why']
		.flatMap(folder => readdirSync(`${root}/${folder}`).filter(f => /\.[ch]$/.test(f)).map(f => `${root}/${folder}/${f}`));
	const all = files.flatMap(f => literals(f)).join('\n');
	// What is put together where it is said stands there in pieces.
	const pieces = s => s.split(/\{\d+\}|; allowed: |, from | to (?=\{)/).map(p => p.trim()).filter(p => /\w{2}/.test(p));
	none(Object.keys(said).filter(s => !all.includes(s) && !pieces(s).every(p => all.includes(p))), 'said by nobody');
	none(Object.keys(said).filter(s => holes(s.replace(/\{\d+\}/g, m => `{v${m.slice(1)}`)) !== holes(said[s].replace(/\{\d+\}/g, m => `{v${m.slice(1)}`))), 'other values');
	none(Object.keys(said).filter(s => !said[s]), 'empty');
});
await check('all of the page is at most 150 KiB, compressed', () => {
	const sizes = readdirSync(dir).map(f => gzipSync(readFileSync(`${dir}/${f}`), { level: 9 }).length), sum = sizes.reduce((a, b) => a + b, 0);
	console.log(`# ${sizes.length} files, ${sum} bytes`);
	if (sizes.length < 20 || sum > 150 * 1024)
		throw new Error(`${sizes.length} files, ${sum} bytes`);
});
await check('no module parses text as HTML, as a script, or names another host', () => {
	const bad = [];
	for (const file of readdirSync(dir))
		for (const [found] of readFileSync(`${dir}/${file}`, 'utf8').matchAll(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|(?:src|href)=["']?(?:https?:)?\/\/|@import|url\(/g))
			bad.push(`${file}: ${found}`);
	none(bad, 'found');
});
done();
