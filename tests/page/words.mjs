// SPDX-License-Identifier: Apache-2.0
// The page's words, without a browser: both languages have the same keys with the same {values} in the same order,
// none is empty, and whatever the modules ask for by a plain name is there.
import { readFileSync, readdirSync } from 'node:fs';
import { check, done } from './tap.mjs';

// words.mjs PAGE SETTINGS: the page's files, and what tarnctl --json config show says.
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
	const code = readFileSync(file, 'utf8').replace(/\\\n/g, '').replace(/\/\*.*?\*\//gs, '').replace(/^#include.*/gm, '');
	return [...code.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/g)].map(([all]) => {
		let n = 0;
		return [...all.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(m => m[1]).join('').replaceAll('\\"', '"').replace(/%[.*jz]*[dus]/g, () => `{${n++}}`);
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
await check('nothing is translated that nobody says', () => {
	const files = ['proxy/admin', 'firmware/keeper', 'firmware/base', 'firmware/ctl', 'firmware/boot', 'proxy/http', 'proxy/policy', 'proxy/tls', 'proxy/why']
		.flatMap(folder => readdirSync(`${root}/${folder}`).filter(f => /\.[ch]$/.test(f)).map(f => `${root}/${folder}/${f}`));
	const all = files.flatMap(f => literals(f)).join('\n');
	none(Object.keys(said).filter(s => !all.includes(s)), 'said by nobody');
	none(Object.keys(said).filter(s => holes(s.replace(/\{\d+\}/g, m => `{v${m.slice(1)}`)) !== holes(said[s].replace(/\{\d+\}/g, m => `{v${m.slice(1)}`))), 'other values');
	none(Object.keys(said).filter(s => !said[s]), 'empty');
});
await check('no module parses text as HTML, as a script, or names another host', () => {
	const bad = [];
	for (const file of readdirSync(dir))
		for (const [found] of readFileSync(`${dir}/${file}`, 'utf8').matchAll(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|(?:src|href)=["']?(?:https?:)?\/\/|@import|url\(/g))
			bad.push(`${file}: ${found}`);
	none(bad, 'found');
});
done();
