/* SPDX-License-Identifier: Apache-2.0 */
/* Tests firmware/index: each format read well, and every lie refused by reason and place. */
#include "tests/unit/firmware/index/rig.h"

#include <lzma.h>
#include <zlib.h>

#include "firmware/base/stat.h"

#define XML                                                                                        \
	"[index x]\npath = /**/*.xml\nformat = xml\nbase = host\nelement = file\nat_path = Name\n" \
	"at_folder = Folder\nat_size = Size\nat_digest = Hash\nat_name = Id\ndigest = md5\n"
#define LIST                                                                                       \
	"[index l]\npath = /**/*.lst\nformat = lines\nline = {digest} *{path}\nskip = #\n"         \
	"digest = sha256\n"
#define RELEASE	 "[index r]\npath = /**/Release\nformat = release\n"
#define PACKAGES "[index p]\npath = /**/Packages, /**/Packages.*, /**/Sources\nformat = packages\n"

#define MD5	 "00112233445566778899aabbccddeeff"
#define SHA	 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void reads(const char *section, const char *text, const char *expected)
{
	reads_at(section, NULL, span_of(text), expected);
}

static void refused(const char *section, const char *text, enum index_refusal why, unsigned line)
{
	refused_at(section, NULL, span_of(text), why, line);
}

/* ---- XML --------------------------------------------------------------------------------------- */

static void test_xml(void **state)
{
	(void)state;
	reads(XML,
	      "<?xml version='1.0'?>\n<Update Date='01012026 1200'>\n"
	      "<file Name='a.dat' Folder='bases/av' Size='12' Hash='" MD5 "' Id='AV'/>\n"
	      "<other Name='no'/><file Name='/b'></file>\n</Update>\n",
	      "/bases/av/a.dat 12 00112233 AV \n/b -1 - /b \n");
	/* The folder may stand around, the nearest counts. */
	reads(XML,
	      "<u Folder='one'><file Name='a'/><d Folder='two/'><file Name='b'/></d>"
	      "<file Name='c'/><file Name='d' Folder=''/></u>",
	      "/one/a -1 - /one/a \n/two/b -1 - /two/b \n/one/c -1 - /one/c \n/d -1 - /d \n");
	reads(XML, "<u/>", "");
	reads(XML, "<u><file Name='a&amp;b'/></u>", "/a&b -1 - /a&b \n");
	/* The same again is no conflict. */
	reads(XML, "<u><file Name='a' Size='1'/><file Name='a' Size='1'/></u>",
	      "/a 1 - /a \n/a 1 - /a \n");
}

static void test_xml_children(void **state)
{
	static const char section[] =
		"[index x]\npath = /**/*.xml\nelement = package\nat_path = location/href\n"
		"at_size = size/package\nat_digest = checksum/\nat_name = name/\n";

	(void)state;
	reads(section,
	      "<metadata xmlns:rpm='x'><package type='rpm'><name>foo</name>\n"
	      "<checksum type='sha256'> " SHA "\n</checksum><size package='9' installed='8'/>"
	      "<location href='Packages/f.rpm'/><format><name>no</name></format></package>"
	      "<rpm:package><location href='g'/></rpm:package></metadata>",
	      "/up/index/Packages/f.rpm 9 00112233 foo \n/up/index/g -1 - /up/index/g \n");
	reads("[index x]\npath = /**/*.xml\nelement = f\nat_path = /\nat_size = s\n",
	      "<u><f s='1'>a/b</f><f>c</f></u>",
	      "/up/index/a/b 1 - /up/index/a/b \n/up/index/c -1 - /up/index/c \n");
	/* Any element that has the path, one in another. */
	reads("[index x]\npath = /**/*.xml\nelement = *\nat_path = P, Q\n",
	      "<u><x P='a'><y Q='b'/></x><z/><y Q='c' P='d'/></u>",
	      "/up/index/a -1 - /up/index/a \n/up/index/b -1 - /up/index/b \n"
	      "/up/index/d -1 - /up/index/d \n");
}

static void test_tail(void **state)
{
	(void)state;
	reads(XML "tail = yes\n", "<u><file Name='a'/></u>\r\n;0XsIgN<a tU;re\n", "/a -1 - /a \n");
	reads(XML "tail = yes\n", "<u/>;x", "");
	reads(XML "tail = yes\n", "<u><file Name='a'/></u>\n", "/a -1 - /a \n");
	refused(XML "tail = yes\n", "<u></u>\nx;y", INDEX_TAIL_, 0);
	refused(XML, "<u></u>\n;y", INDEX_MALFORMED_, 2);
}

static void test_xml_wrong(void **state)
{
	(void)state;
	refused(XML, "<u>\n<file Name='a'>\n</u>", INDEX_MALFORMED_, 3);
	refused(XML, "<u>\n<file Name='a'/>", INDEX_TRUNCATED_, 2);
	refused(XML, "<u><file Name='a", INDEX_TRUNCATED_, 1);
	refused(XML, "", INDEX_TRUNCATED_, 1);
	refused(XML, "no xml at all", INDEX_MALFORMED_, 1);
	refused(XML, "<u>&unknown;</u>", INDEX_MALFORMED_, 1);
	refused(XML, "<u>\n\n<file Size='1'/></u>", INDEX_NO_PATH_, 3);
	refused(XML, "<u>\n<file Name='../a'/></u>", INDEX_PATH_OUTSIDE_, 2);
	refused(XML, "<u><file Name='a' Folder='x/../..'/></u>", INDEX_PATH_OUTSIDE_, 1);
	refused(XML, "<u><file Name='http://evil/a'/></u>", INDEX_PATH_FOREIGN_, 1);
	refused(XML, "<u><file Name='a' Folder='http://a.example.com/'/></u>", INDEX_PATH_FOREIGN_,
		1);
	refused(XML, "<u><file Name='a&#10;b'/></u>", INDEX_PATH_BYTES_, 1);
	refused(XML, "<u><file Name='a&#0;b'/></u>", INDEX_MALFORMED_, 1);
	refused(XML, "<u>\n<file Name='a' Size='1x'/></u>", INDEX_SIZE_, 2);
	refused(XML, "<u><file Name='a' Size='-1'/></u>", INDEX_SIZE_, 1);
	refused(XML, "<u><file Name='a' Size='18446744073709551615'/></u>", INDEX_SIZE_, 1);
	refused(XML, "<u><file Name='a' Hash='" SHA "'/></u>", INDEX_DIGEST_, 1);
	refused(XML, "<u><file Name='a' Hash='0011223344556677889xaabbccddeeff'/></u>",
		INDEX_DIGEST_, 1);
	refused(XML, "<u><file Name='a' Size='1'/>\n<file Name='./a' Size='2'/></u>",
		INDEX_CONFLICT_, 2);
}

static void test_bombs(void **state)
{
	static char text[9 << 20];
	struct rig rig = { .limits = INDEX_LIMITS_DEFAULT };
	size_t n;

	(void)state;
	refused(XML,
		"<?xml version='1.0'?>\n<!DOCTYPE u [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>\n"
		"<u>&b;</u>",
		INDEX_DOCTYPE_, 2);
	refused(XML, "<!DOCTYPE u SYSTEM 'file:///etc/passwd'><u/>", INDEX_DOCTYPE_, 1);
	/* elements within elements */
	n = 0;
	for (unsigned i = 0; i < 1000; i++)
		n += (size_t)sprintf(text + n, "<a>");
	refused_at(XML, NULL, span_make(text, n), INDEX_TOO_DEEP_, 1);
	/* a tag without end */
	n = (size_t)sprintf(text, "<u><file Name='");
	memset(text + n, 'a', 2 << 20);
	refused_at(XML, NULL, span_make(text, n + (2 << 20)), INDEX_TOO_LONG_, 1);
	/* many entries */
	n = (size_t)sprintf(text, "<u>\n");
	for (unsigned i = 0; i < 1001; i++)
		n += (size_t)sprintf(text + n, "<file Name='%u'/>\n", i);
	(void)sprintf(text + n, "</u>");
	rig.limits.entries = 1000;
	rig_read(&rig, XML, span_of(text));
	assert_int_equal(rig.rc, -EBADMSG);
	assert_int_equal(rig.error.refusal, INDEX_TOO_MANY_);
	assert_int_equal(rig.error.line, 1002);
	/* many bytes: the text is refused where the limit is, not read to its end */
	memset(text, ' ', sizeof(text));
	memcpy(text, "<u>", 3);
	rig.limits = INDEX_LIMITS_DEFAULT;
	rig.limits.bytes = 8 << 20;
	rig_read(&rig, XML, span_make(text, sizeof(text)));
	assert_int_equal(rig.rc, -EBADMSG);
	assert_int_equal(rig.error.refusal, INDEX_TOO_LARGE_);
}

static void test_million(void **state)
{
	size_t size = 40u << 20, n = 0;
	char *text = malloc(size);
	struct rig rig = { 0 };

	(void)state;
	assert_non_null(text);
	n += (size_t)sprintf(text, "<u>");
	for (unsigned i = 0; i < 1000000; i++)
		n += (size_t)sprintf(text + n, "<file Name='%u' Size='%u'/>", i, i);
	n += (size_t)sprintf(text + n, "</u>");
	assert_true(n < size);
	rig_read(&rig, XML, span_make(text, n));
	assert_int_equal(rig.rc, -EBADMSG);
	assert_int_equal(rig.error.refusal, INDEX_TOO_MANY_);
	assert_int_equal(rig.entries, 500000);
	free(text);
}

static void test_slow(void **state)
{
	struct profile *profile = rig_profile(XML);
	struct rig rig = { 0 };
	struct index_config config = {
		.path = SPAN("/i.xml"),
		.limits = INDEX_LIMITS_DEFAULT,
		.entry = rig_entry,
		.arg = &rig,
	};
	struct index_reader *reader;

	(void)state;
	config.format = profile_index_find(profile, config.path);
	assert_int_equal(index_reader_new(&config, &reader), 0);
	assert_int_equal(index_reader_feed(reader, SPAN("<u>"), false, 5000), 0);
	assert_int_equal(index_reader_feed(reader, SPAN(" "), false, 605000), 0);
	assert_int_equal(index_reader_feed(reader, SPAN(" "), false, 605001), -EBADMSG);
	assert_int_equal(index_reader_error(reader)->refusal, INDEX_TOO_SLOW_);
	/* What was refused stays so. */
	assert_int_equal(index_reader_feed(reader, SPAN("</u>"), true, 605001), -EBADMSG);
	index_reader_free(&reader);
	profile_free(&profile);
}

static void test_counted(void **state)
{
	int64_t before = stat_read(STAT_INDEX_REFUSED_FIRST + INDEX_PATH_OUTSIDE_);
	struct rig rig = { .path = "/up/\x41.xml" };
	char text[512];

	(void)state;
	rig_read(&rig, XML, SPAN("<u>\n <file Name='../a'/></u>"));
	assert_int_equal(stat_read(STAT_INDEX_REFUSED_FIRST + INDEX_PATH_OUTSIDE_), before + 1);
	assert_string_equal(index_error_text(&rig.error, text, sizeof(text)),
			    "/up/A.xml:2:2: path_outside: path ../a");
}

/* ---- lines -------------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
	(void)state;
	reads_at(LIST, "/pub/SUMS.lst", SPAN("# a comment\n\n" SHA "  *a/b.dat\r\n" SHA "\t*c d"),
		 "/pub/a/b.dat -1 00112233 /pub/a/b.dat \n/pub/c%20d -1 00112233 /pub/c%20d \n");
	reads_at("[index l]\npath = /**/*.lst\nformat = lines\n"
		 "line = {name}:{size}:{}:{path}\nbase = /files/\n",
		 "/x.lst", SPAN("av:3:zzz:av-1.dat\nfw:4::fw-1.dat"),
		 "/files/av-1.dat 3 - av \n/files/fw-1.dat 4 - fw \n");
	refused_at(LIST, "/x.lst", SPAN(SHA " *a\nnot such a line\n"), INDEX_LINE_, 2);
	refused_at(LIST, "/x.lst", SPAN("0011 *a\n"), INDEX_DIGEST_, 1);
	refused_at(LIST, "/x.lst", SPAN(SHA " *../a\n"), INDEX_PATH_OUTSIDE_, 1);
	refused_at(LIST, "/x.lst", ((struct span){ SHA " *a\0b\n", 70 }), INDEX_PATH_BYTES_, 1);
	refused_at(LIST, "/x.lst", SPAN(SHA " *a\nff112233445566778899aabbccddeeff" MD5 " *a\n"),
		   INDEX_CONFLICT_, 2);
}

static void test_long_line(void **state)
{
	static char text[1 << 20];

	(void)state;
	memset(text, 'a', sizeof(text));
	refused_at(LIST, "/x.lst", span_make(text, sizeof(text)), INDEX_TOO_LONG_, 0);
	text[sizeof(text) - 1] = '\n';
	refused_at(LIST, "/x.lst", span_make(text, sizeof(text)), INDEX_TOO_LONG_, 0);
}

/* ---- APT ---------------------------------------------------------------------------------------- */

static const char release[] =
	"Origin: Example\nAcquire-By-Hash: yes\nMD5Sum:\n " MD5 " 5 main/x\nSHA256:\n " SHA
	"  1234 main/binary-amd64/Packages.xz\n " SHA " 7 main/source/Sources\nSuite: stable\n";
static const char packages[] =
	"Package: foo\nArchitecture: amd64\nDescription: it\n is\nFilename: pool/f/foo_1.deb\n"
	"Size: 12\nMD5sum: " MD5 "\nSHA256: " SHA "\n\n\n"
	"Package: bar\nArchitecture: all\nFilename: pool/b/bar_2.deb\nSize: 3\nSHA256: " SHA "\n";

static void test_release(void **state)
{
	(void)state;
	reads_at(RELEASE, "/debian/dists/stable/Release", span_of(release),
		 "/debian/dists/stable/main/binary-amd64/Packages.xz 1234 00112233 "
		 "/debian/dists/stable/main/binary-amd64/Packages.xz "
		 "/debian/dists/stable/main/binary-amd64/by-hash/SHA256/" SHA "\n"
		 "/debian/dists/stable/main/source/Sources 7 00112233 "
		 "/debian/dists/stable/main/source/Sources "
		 "/debian/dists/stable/main/source/by-hash/SHA256/" SHA "\n");
	refused_at(RELEASE, "/dists/x/Release", SPAN("SHA256:\n " SHA " 1 ../../../etc/passwd\n"),
		   INDEX_PATH_OUTSIDE_, 2);
	refused_at(RELEASE, "/dists/x/Release", SPAN("SHA256:\n " SHA " x a\n"), INDEX_SIZE_, 2);
	refused_at(RELEASE, "/dists/x/Release", SPAN("SHA256:\n " SHA "\n"), INDEX_LINE_, 2);
	refused_at(RELEASE, "/dists/x/Release", SPAN("SHA256:\n " MD5 " 1 a\n"), INDEX_DIGEST_, 2);
}

static void test_packages(void **state)
{
	static const char expected[] = "/debian/pool/f/foo_1.deb 12 00112233 foo/amd64 \n"
				       "/debian/pool/b/bar_2.deb 3 00112233 bar/all \n";

	(void)state;
	reads_at(PACKAGES, "/debian/dists/stable/main/binary-amd64/Packages", span_of(packages),
		 expected);
	/* A flat repository has no dists: paths are relative to the index's folder. */
	reads_at(PACKAGES, "/flat/Packages", SPAN("Package: a\nFilename: ./a.deb\n"),
		 "/flat/a.deb -1 - a/ \n");
	reads_at(PACKAGES, "/debian/dists/s/main/source/Sources",
		 SPAN("Package: foo\nDirectory: pool/f\nChecksums-Sha256:\n " SHA
		      " 4 foo_1.dsc\n " SHA " 5 foo_1.2-3.debian.tar.xz\n"),
		 "/debian/pool/f/foo_1.dsc 4 00112233 foo/source.dsc \n"
		 "/debian/pool/f/foo_1.2-3.debian.tar.xz 5 00112233 foo/source.debian.tar.xz \n");
	refused_at(PACKAGES, "/a/Packages", SPAN("Package: a\nSize: 1\n\n"), INDEX_NO_PATH_, 3);
}

/* ---- packed ------------------------------------------------------------------------------------- */

static size_t gzip(struct span text, uint8_t *buf, size_t size)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.n;
	z.next_out = buf;
	z.avail_out = (uInt)size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&z), Z_OK);
	return size - z.avail_out;
}

static size_t xz(struct span text, uint8_t *buf, size_t size)
{
	size_t n = 0;

	assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, (const uint8_t *)text.p,
						 text.n, buf, &n, size),
			 LZMA_OK);
	return n;
}

/* Whichever byte is wrong: what was said of entries before is the caller's to forget. */
static void refused_damaged(const char *path, uint8_t *buf, size_t n)
{
	for (size_t i = 2; i < n; i += 5) {
		struct rig rig = { .path = path };

		buf[i] ^= 0x55;
		rig_read(&rig, PACKAGES, span_make(buf, n));
		buf[i] ^= 0x55;
		/* gzip's time and name of the system are nobody's. */
		if (rig.rc != -EBADMSG && !(buf[0] == 0x1f && i < 10))
			fail_msg("byte %zu", i);
	}
}

static void test_packed(void **state)
{
	static const char expected[] = "/debian/pool/f/foo_1.deb 12 00112233 foo/amd64 \n"
				       "/debian/pool/b/bar_2.deb 3 00112233 bar/all \n";
	static const char path[] = "/debian/dists/s/main/binary-amd64/Packages.xz";
	uint8_t buf[4096];
	size_t n = gzip(span_of(packages), buf, sizeof(buf) - 1);

	(void)state;
	reads_at(PACKAGES, path, span_make(buf, n), expected);
	refused_at(PACKAGES, path, span_make(buf, n - 1), INDEX_TRUNCATED_, 0);
	refused_at(PACKAGES, path, span_make(buf, n + 1), INDEX_PACKED_, 0);
	refused_damaged(path, buf, n);
	n = xz(span_of(packages), buf, sizeof(buf) - 1);
	reads_at(PACKAGES, path, span_make(buf, n), expected);
	refused_at(PACKAGES, path, span_make(buf, n - 1), INDEX_TRUNCATED_, 0);
	refused_damaged(path, buf, n);
}

/* A small file of much text: refused at the limit. */
static void test_packed_bomb(void **state)
{
	static char text[10 << 20];
	static uint8_t buf[1 << 20];
	struct rig rig = { .path = "/a/Packages", .limits = INDEX_LIMITS_DEFAULT };
	struct span packed;

	(void)state;
	memset(text, '\n', sizeof(text));
	rig.limits.bytes = 1 << 20;
	packed = span_make(buf, gzip(span_make(text, sizeof(text)), buf, sizeof(buf)));
	assert_true(packed.n < 20000);
	rig_read(&rig, PACKAGES, packed);
	assert_int_equal(rig.error.refusal, INDEX_TOO_LARGE_);
	packed = span_make(buf, xz(span_make(text, sizeof(text)), buf, sizeof(buf)));
	rig.error = (struct index_error){ 0 };
	rig_read(&rig, PACKAGES, packed);
	assert_int_equal(rig.rc, -EBADMSG);
	assert_int_equal(rig.error.refusal, INDEX_TOO_LARGE_);
}

/* ---- profiles ----------------------------------------------------------------------------------- */

static void test_sections(void **state)
{
	static const struct {
		const char *section, *what;
	} rows[] = {
		{ "[index a]\nelement = x\nat_path = y\n", "has no path" },
		{ "[index a]\npath = x\nelement = x\nat_path = y\n", "path pattern" },
		{ "[index a]\npath = /x\nat_path = y\n", "where the paths stand" },
		{ "[index a]\npath = /x\nformat = lines\nline = {size}\n", "names no path" },
		{ "[index a]\npath = /x\nformat = lines\nline = {path}{size}\n", "line =" },
		{ "[index a]\npath = /x\nformat = lines\nline = {path} {path}\n", "line =" },
		{ "[index a]\npath = /x\nformat = lines\nline = {path} {what}\n", "line =" },
		{ "[index a]\npath = /x\nformat = lines\nline = {path\n", "line =" },
		{ "[index a]\npath = /x\nformat = release\nline = {path}\n", "has no lines" },
		{ "[index a]\npath = /x\nformat = release\ntail = yes\n", "is no XML" },
		{ "[index a]\npath = /x\nformat = release\nbase = up\n", "base =" },
		{ "[index A]\npath = /x\n", "not an index's name" },
		{ "[index a]\nformat = yaml\n", "format" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[] = "/tmp/tarn-index-XXXXXX";
		FILE *file = fdopen(mkstemp(path), "w");
		struct settings_error error;
		struct profile *profile;

		assert_non_null(file);
		fprintf(file, "[vendor]\nname = x\n[hosts]\nexact = a.example.com\n%s",
			rows[i].section);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(profile_load(path, &profile, &error), -EINVAL);
		(void)unlink(path);
		if (!strstr(error.what, rows[i].what))
			fail_msg("%s: %s", rows[i].section, error.what);
	}
}

/* What is shipped reads what it is for. */
static void test_shipped(void **state)
{
	struct settings_error error;
	struct profile *profile;

	(void)state;
	assert_int_equal(profile_load("firmware/vendors/debian.conf", &profile, &error), 0);
	assert_int_equal(
		profile_index_find(profile, SPAN("/debian/dists/stable/InRelease"))->format,
		INDEX_RELEASE);
	assert_int_equal(
		profile_index_find(profile, SPAN("/debian/dists/s/main/binary-amd64/Packages.xz"))
			->format,
		INDEX_PACKAGES);
	assert_null(profile_index_find(profile, SPAN("/debian/pool/a.deb")));
	profile_free(&profile);
	assert_int_equal(profile_load("firmware/vendors/kaspersky.conf", &profile, &error), 0);
	assert_true(profile_index_find(profile, SPAN("/index/u1313g.xml"))->tail);
	profile_free(&profile);
	assert_int_equal(profile_load("firmware/vendors/example.conf", &profile, &error), 0);
	assert_true(profile_index_any(profile));
	profile_free(&profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xml),	 cmocka_unit_test(test_xml_children),
		cmocka_unit_test(test_tail),	 cmocka_unit_test(test_xml_wrong),
		cmocka_unit_test(test_bombs),	 cmocka_unit_test(test_million),
		cmocka_unit_test(test_slow),	 cmocka_unit_test(test_counted),
		cmocka_unit_test(test_lines),	 cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_release),	 cmocka_unit_test(test_packages),
		cmocka_unit_test(test_packed),	 cmocka_unit_test(test_packed_bomb),
		cmocka_unit_test(test_sections), cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
