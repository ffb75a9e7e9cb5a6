/* SPDX-License-Identifier: Apache-2.0 */
/* Constant tables and how --help prints them. */
#include "firmware/base/program.h"

#include "firmware/base/tarn_conf.h"

/* clang-format off */
static const struct program_option tarnd_options[] = {
	{ 'c', "config", "FILE", "instead of " TARN_CONF_PATH },
	{ 'n', "check", NULL, "read the configuration, say what is wrong with it, touch nothing" },
	{ '1', "one-arm", NULL, "for a machine with one port: whatever [steer] mode says, intercept nothing; tarn-proxy listens on all addresses, port 3128, unless [proxy] listen says where" },
	{ 'h', "help", NULL, "how it is used" },
	{ 0 },
};
static const struct program_row tarnd_signals[] = {
	{ "SIGHUP", "read the configuration again; a wrong one changes nothing (tarnctl config reload tells what became of it)" },
	{ "SIGTERM", "end, and take back all that was made" },
	{ "SIGINT", "the same" },
	{ 0 },
};
static const struct program_row tarnd_exits[] = {
	{ "0", "it was told to end" },
	{ "64", "wrong arguments" },
	{ "70", "a fault of tarnd itself" },
	{ "71", "the system refused what it needs; it says what" },
	{ "75", "another tarnd keeps this network" },
	{ "77", "not root" },
	{ "78", "wrong configuration" },
	{ 0 },
};
static const struct program_row tarnd_files[] = {
	{ TARN_CONF_PATH, "the settings, tarn.conf(5); it need not exist" },
	{ "/etc/tarn/vendors/*.conf", "the vendors' profiles, tarn-vendor(5)" },
	{ "/var/lib/tarn", "the certificate authority: root's alone" },
	{ "/var/cache/tarn", "the store: of tarn-proxy's user" },
	{ "/run/tarn", "the sockets that tarnctl asks" },
	{ 0 },
};
static const char *const tarnd_paragraphs[] = {
	"tarnd makes a bridge of two Ethernet ports (or adopts one that is there, or stands on a router), steers the devices' connections to antivirus vendors into tarn-proxy, which it starts as a user without rights, and lets everything else pass.",
	"It intercepts only while tarn-proxy is well and can reach a vendor itself. When tarn-proxy dies or hangs, connections pass straight through and tarnd starts it again; when tarnd dies, the kernel stops steering by itself. The worst case is the office without Tarn.",
	"It parses nothing that comes from the network. It runs in the foreground and writes its log as [log] says.",
	NULL,
};
static const char *const tarnd_see[] = { "tarnctl 1", "tarn-proxy 8", "tarn.conf 5", "tarn-vendor 5", NULL };

const struct program_doc program_tarnd = {
	.name = "tarnd",
	.summary = "keeps the network and tarn-proxy, and intercepts while that is well",
	.paragraphs = tarnd_paragraphs,
	.see_also = tarnd_see,
	.options = tarnd_options,
	.signals = tarnd_signals,
	.files = tarnd_files,
	.exits = tarnd_exits,
};

static const struct program_option proxy_options[] = {
	{ 'c', "config", "FILE", "settings, instead of " TARN_CONF_PATH },
	{ 'o', NULL, "SECTION.KEY=VALUE", "one setting, after the file's; may be repeated" },
	{ 'u', "user", "NAME", "become NAME when started as root without tarnd" },
	{ 0, "check", NULL, "check settings and vendor profiles, and end" },
	{ 0, "settings", NULL, "print all settings with their defaults and meanings" },
	{ 'h', "help", NULL, "show this" },
	{ 'V', "version", NULL, "show the version" },
	{ 0 },
};
static const struct program_row proxy_signals[] = {
	{ "SIGHUP", "read the configuration again; a wrong one changes nothing, no connection is dropped" },
	{ "SIGTERM", "take no new connections, finish those that are open, end; a second one ends at once" },
	{ "SIGINT", "the same" },
	{ 0 },
};
static const struct program_row proxy_exits[] = {
	{ "0", "it was told to end" },
	{ "64", "wrong arguments" },
	{ "71", "the system refused what it needs; it says what" },
	{ "78", "wrong configuration" },
	{ 0 },
};
static const struct program_row proxy_files[] = {
	{ TARN_CONF_PATH, "the settings, tarn.conf(5); it need not exist" },
	{ "/etc/tarn/vendors/*.conf", "the vendors' profiles, tarn-vendor(5)" },
	{ "/var/cache/tarn", "the store" },
	{ "/run/tarn/proxy.sock", "the socket that tarnctl asks" },
	{ 0 },
};
static const char *const proxy_paragraphs[] = {
	"tarn-proxy answers devices from its store, fetches once what it does not have, however many ask, and hands it out while it arrives. No byte goes to a device that the vendor did not send for that URL.",
	"tarnd starts it with the connections that it steers here. Started by hand, without root, it is an ordinary caching proxy on [proxy] listen: explicit (absolute-form requests and CONNECT), and an update source under /<vendor>/<path>.",
	"It gives up all rights before it reads anything from the network: no capability, a filter of system calls, its own files alone.",
	NULL,
};
static const char *const proxy_see[] = { "tarnctl 1", "tarn.conf 5", "tarn-vendor 5", "tarnd 8", NULL };

const struct program_doc program_proxy = {
	.name = "tarn-proxy",
	.summary = "the caching proxy of vendors' updates",
	.paragraphs = proxy_paragraphs,
	.see_also = proxy_see,
	.example = "tarn-proxy -o proxy.listen=127.0.0.1:3128 -o cache.path=/tmp/tarn \\\n"
		   "    -o proxy.admin_socket=/tmp/tarn.sock\n"
		   "curl -x http://127.0.0.1:3128 http://...",
	.options = proxy_options,
	.signals = proxy_signals,
	.files = proxy_files,
	.exits = proxy_exits,
};

static const struct program_option mount_options[] = {
	{ 'a', "all", NULL, "other users may read it, too: for FTP and SMB servers" },
	{ 'c', "config", "FILE", "settings, instead of " TARN_CONF_PATH },
	{ 's', "socket", "PATH", "tarn-proxy's socket, instead of the settings'" },
	{ 'u', "user", "NAME",
	  "become this user once it is mounted; who started it unmounts the folder then" },
	{ 'h', "help", NULL, "show this" },
	{ 'V', "version", NULL, "show the version" },
	{ 0 },
};
static const struct program_row mount_signals[] = {
	{ "SIGTERM", "unmount and end" },
	{ "SIGINT", "the same" },
	{ 0 },
};
static const struct program_row mount_exits[] = {
	{ "0", "it was unmounted or told to end" },
	{ "64", "wrong arguments" },
	{ "71", "the system refused what it needs; it says what" },
	{ "78", "wrong configuration" },
	{ 0 },
};
static const struct program_row mount_files[] = {
	{ TARN_CONF_PATH, "the settings, tarn.conf(5); it need not exist" },
	{ "/run/tarn/proxy.sock", "the socket that it asks: root's and its group's" },
	{ 0 },
};
static const struct program_row mount_attributes[] = {
	{ "user.tarn.sha256", "of its bytes, hexadecimal" },
	{ "user.tarn.etag", "the vendor's, if it sent one" },
	{ "user.tarn.path", "as in a URL" },
	{ "user.tarn.generation", "its number" },
	{ 0 },
};
static const char *const mount_paragraphs[] = {
	"tarn-mount shows what tarnctl export would write as a read-only file system, as long as it runs: FOLDER/current/<vendor>/... and FOLDER/previous/<vendor>/..., with the vendor's own folders, sizes and dates. Hosts of a vendor with other content than its update source stand beside it as <vendor>@<host>.",
	"A vendor stands there only with a whole generation: as soon as one of its objects has left the store, the generation is not shown any more. Bytes are read from the store through tarn-proxy when somebody reads them; nothing is copied beforehand.",
	"Within a vendor's folder nothing ever changes under a reader's feet: a program that has gone into it (cd, the session of an FTP or SMB client, rsync) keeps that generation until it leaves, and whoever comes by FOLDER/current gets the newest. A copy of one generation is therefore made from inside: cd FOLDER/current/<vendor> && cp -r . TO. An older one can be read as long as the store has its objects; after that, reading fails.",
	"To share it, mount it with --all and give vsftpd or samba the folder as a read-only share; it asks no more of the store than any reader.",
	"When tarn-proxy is away, names and dates are still shown and reading fails until it is back. Where a tarn-mount before was killed, a new one takes its place.",
	NULL,
};
static const char *const mount_see[] = { "tarnctl 1", "tarn-proxy 8", "tarn.conf 5", NULL };

const struct program_doc program_mount = {
	.name = "tarn-mount",
	.summary = "vendors' update repositories as a read-only file system",
	.paragraphs = mount_paragraphs,
	.see_also = mount_see,
	.operand = "FOLDER",
	.example = "tarn-mount --all /srv/updates &\n"
		   "rsync -a /srv/updates/current/kaspersky/ laptop:/updates/\n"
		   "umount /srv/updates",
	.options = mount_options,
	.signals = mount_signals,
	.files = mount_files,
	.exits = mount_exits,
	.attributes = mount_attributes,
};
/* clang-format on */

static void print_option(const struct program_option *option, FILE *to)
{
	char left[80], letter[8] = "   ";

	if (option->letter)
		(void)snprintf(letter, sizeof(letter), "-%c%c", option->letter,
			       option->name ? ',' : ' ');
	(void)snprintf(left, sizeof(left), "%s %s%s%s%s", letter, option->name ? "--" : "",
		       option->name ? option->name : "", option->name && option->arg ? " " : "",
		       option->arg ? option->arg : "");
	fprintf(to, "  %-24s  %s\n", left, option->help);
}

static void print_rows(const char *title, const struct program_row *rows, int width, FILE *to)
{
	fprintf(to, "\n%s\n", title);
	for (; rows->help; rows++)
		fprintf(to, "  %-*s %s\n", width, rows->name, rows->help);
}

void program_help(const struct program_doc *program, FILE *to)
{
	fprintf(to, "Usage: %s [OPTION]...%s%s\n%s: %s.\n\n", program->name,
		program->operand ? " " : "", program->operand ? program->operand : "",
		program->name, program->summary);
	for (const struct program_option *option = program->options; option->help; option++)
		print_option(option, to);
	print_rows("Signals", program->signals, 8, to);
	print_rows("Exit status", program->exits, 8, to);
	if (program->attributes)
		print_rows("Extended attributes of files", program->attributes, 21, to);
	if (program->example)
		fprintf(to, "\nTry it\n    %s\n", program->example);
}
