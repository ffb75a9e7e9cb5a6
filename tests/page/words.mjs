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
await check('no module parses text as HTML, as a script, or names another host', () => {
	const bad = [];
	for (const file of readdirSync(dir))
		for (const [found] of readFileSync(`${dir}/${file}`, 'utf8').matchAll(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|(?:src|href)=["']?(?:https?:)?\/\/|@import|url\(/g))
			bad.push(`${file}: ${found}`);
	none(bad, 'found');
});
done();
