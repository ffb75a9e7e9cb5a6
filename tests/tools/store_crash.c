/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_crash [ROUNDS [SEED]] - kill -9 during writes, again and again, in one directory.
 *
 * A child stores, replaces, fills and removes objects as fast as it can, and writes to a pipe what it is about to do
 * and what was answered as done. The parent kills it at a random moment, opens the store and compares:
 * each key must be as after the last piece of work that was answered, or after a later one that was begun.
 * Then it closes the store and looks the whole file over (file.h). Prints TAP.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "tests/unit/cache/file.h"
#include "tests/unit/cache/rig.h"

#define KEYS	 48
#define WORK_MAX 200000
#define ROUND_MS 900
#define LIMIT	 (UINT64_C(1) << 30) /* nothing is evicted */

enum work_type {
	WORK_PUT,     /* a whole object */
	WORK_PARTIAL, /* one with holes: chunks whose bit in `version` is set */
	WORK_FILL,    /* the holes of the partial one before */
	WORK_REMOVE,
};

/* One message; less than PIPE_BUF, so it comes whole. */
struct message {
	uint32_t number; /* of the work, from 0 in each child */
	uint16_t key;
	uint8_t type;
	uint8_t done;	  /* 0: begun; 1: answered with 0 */
	uint64_t version; /* seed of the body */
	uint64_t length;
	uint64_t id;
};

/* What a key may be like. */
struct key_state {
	bool there;
	bool whole;
	uint64_t version, length, id;
};

static uint64_t random_state;

static uint64_t random_next(void)
{
	uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t random_below(uint64_t n)
{
	return random_next() % n;
}

static void key_text(unsigned key, char buf[32])
{
	(void)snprintf(buf, 32, "crash group /%u", key);
}

/* ---- the child ------------------------------------------------------------------------------- */

static int pipe_out;

static void tell(const struct message *message)
{
	if (write(pipe_out, message, sizeof(*message)) != sizeof(*message))
		_exit(3);
}

struct answer {
	struct message message;
	_Atomic unsigned left; /* answers until it is done */
	_Atomic bool failed;
};

static void answered(void *arg, int rc)
{
	struct answer *answer = arg;

	if (rc != 0 && rc != -ESTALE && rc != -EBUSY)
		atomic_store(&answer->failed, true);
	if (atomic_fetch_sub(&answer->left, 1) > 1)
		return;
	answer->message.done = 1;
	if (answer->failed)
		_exit(4);
	tell(&answer->message);
	free(answer);
}

static bool partial_has(uint64_t version, uint32_t index)
{
	return version >> (index % 16) & 1;
}

static uint64_t random_length(void)
{
	switch (random_below(8)) {
	case 0:
		return random_below(5 * RIG_CHUNK);
	case 1:
		return RIG_CHUNK * random_below(4);
	case 2:
	case 3:
		return random_below(1800);
	default:
		return random_below(100000);
	}
}

static void put_chunks(struct rig *rig, struct answer *a, bool all)
{
	struct message *m = &a->message;

	for (uint32_t i = 0; i * RIG_CHUNK < m->length; i++) {
		struct chunk *chunk;
		uint64_t from = i * RIG_CHUNK;

		if (!all && !partial_has(m->version, i))
			continue;
		while (!(chunk = chunk_new(rig->pool)))
			usleep(500);
		chunk->len =
			(uint32_t)(m->length - from < RIG_CHUNK ? m->length - from : RIG_CHUNK);
		body_fill(m->version, from, chunk->data, chunk->len);
		a->left++;
		if (writer_put_chunk(rig->writer, m->id, i, chunk, answered, a))
			_exit(5);
		chunk_unref(&chunk);
	}
}

static void do_work(struct rig *rig, struct answer *a, const struct message *before)
{
	struct message *m = &a->message;
	char text[32];
	struct object o;
	struct cache_key key;
	struct lease *lease;
	uint8_t small[OBJECT_RECORD_INLINE];

	key_text(m->key, text);
	key = key_of(span_of(text));
	a->left = 1; /* until all is asked */
	if (m->type == WORK_FILL) {
		m->id = before->id;
		m->version = before->version;
		m->length = before->length;
	} else {
		m->id = store_id_new(rig->store);
	}
	lease = lease_new(rig->store, m->id);
	tell(m);
	o = body_object(text, m->id, m->length);
	o.generation = m->version;
	if (m->type == WORK_PUT && object_fits_inline(&o, m->length)) {
		body_fill(m->version, 0, small, m->length);
		o.body = span_make(small, m->length);
	} else if (m->type != WORK_REMOVE) {
		put_chunks(rig, a, m->type != WORK_PARTIAL);
	}
	a->left++;
	if (m->type == WORK_REMOVE ? writer_remove(rig->writer, &key, 0, answered, a)
	    : m->type == WORK_FILL ? writer_flush(rig->writer, answered, a)
				   : writer_put_object(rig->writer, &o, answered, a))
		_exit(6);
	lease_unref(&lease);
	answered(a, 0);
}

static void child(const char *dir, uint64_t versions, int fd)
{
	struct message last[KEYS] = { 0 };
	struct rig rig = { .now = clock_read() };

	pipe_out = fd;
	rig.config = (struct store_config){ .path = dir,
					    .limit = LIMIT,
					    .commit_bytes = 2 << 20,
					    .commit_ms = 1 + (uint32_t)random_below(30) };
	CHECK_OK(chunk_pool_new(64, &rig.pool));
	rig_open(&rig);
	CHECK_OK(writer_start(rig.writer));
	for (uint32_t i = 0; i < WORK_MAX; i++) {
		struct answer *a = calloc(1, sizeof(*a));
		struct message *m = &a->message;

		CHECK(a != NULL);
		m->number = i;
		m->key = (uint16_t)random_below(KEYS);
		m->type = (uint8_t)(random_below(10) < 6 ? WORK_PUT : random_below(4));
		m->version = versions + i;
		m->length = random_length();
		if (m->type == WORK_PARTIAL)
			m->length = RIG_CHUNK + random_below(6 * RIG_CHUNK);
		if (m->type == WORK_FILL && last[m->key].type != WORK_PARTIAL)
			m->type = WORK_PUT;
		do_work(&rig, a, &last[m->key]);
		last[m->key] = *m;
		while (chunk_pool_use(rig.pool).out > 48)
			usleep(200);
		if (i % 64 == 0)
			usleep((useconds_t)random_below(3000));
	}
	_exit(7);
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* All messages of a child, and where each key's last answered one is. */
struct log {
	struct message *begun;
	uint32_t n;
	uint32_t done; /* answers */
	int64_t answered[KEYS];
};

static void log_read(struct log *log, int fd)
{
	struct message m;

	log->n = 0;
	log->done = 0;
	for (unsigned i = 0; i < KEYS; i++)
		log->answered[i] = -1;
	while (read(fd, &m, sizeof(m)) == sizeof(m)) {
		CHECK(m.number < WORK_MAX && m.key < KEYS);
		if (!m.done) {
			CHECK(m.number == log->n);
			log->begun[log->n++] = m;
		} else {
			log->done++;
			log->answered[m.key] = m.number;
		}
	}
}

static struct key_state state_after(const struct key_state *before, const struct message *m)
{
	if (m->type == WORK_REMOVE)
		return (struct key_state){ 0 };
	if (m->type == WORK_FILL)
		return (struct key_state){ before->there, true, m->version, m->length, m->id };
	return (struct key_state){ true, m->type == WORK_PUT, m->version, m->length, m->id };
}

/* The bytes of what is stored: all that it says it has must be right, and nothing more or less than it should. */
static bool bytes_right(struct rig *rig, const struct stored *stored, const struct key_state *want,
			bool filling)
{
	const struct object *o = stored_object(stored);
	struct store_place place;

	if (o->body.n)
		return o->body.n == want->length && body_is(want->version, 0, o->body);
	for (uint32_t i = 0; i * RIG_CHUNK < want->length; i++) {
		bool has = object_has_chunk(o, i);

		if (!has && (want->whole || partial_has(want->version, i)))
			return false;
		if (has && !want->whole && !filling && !partial_has(want->version, i))
			return false;
		if (has && (stored_chunk(rig->reader, stored, i, &place) ||
			    !body_is(want->version, i * RIG_CHUNK, place.bytes)))
			return false;
	}
	return !want->whole || object_complete(o);
}

static bool key_is(struct rig *rig, unsigned number, const struct key_state *want, bool filling)
{
	char text[32];
	struct cache_key key;
	struct stored *stored;
	bool right;

	key_text(number, text);
	key = key_of(span_of(text));
	if (store_lookup(rig->reader, &key, &stored))
		return !want->there;
	right = want->there && stored_object(stored)->generation == want->version &&
		stored_object(stored)->length == (int64_t)want->length &&
		bytes_right(rig, stored, want, filling);
	stored_free(&stored);
	return right;
}

/* Is the key as after its last answered work, or a later one? Says so in *now. */
static bool key_right(struct rig *rig, const struct log *log, unsigned key, struct key_state *now)
{
	struct key_state state = *now;
	bool filling = false;

	for (uint32_t i = 0; i < log->n; i++) {
		const struct message *m = &log->begun[i];

		if (m->key != key)
			continue;
		/* A fill is several pieces of work: it may be there in part. */
		filling = m->type == WORK_FILL;
		if ((int64_t)i > log->answered[key] && key_is(rig, key, &state, filling)) {
			*now = state;
			return true;
		}
		state = state_after(&state, m);
	}
	*now = state;
	return key_is(rig, key, &state, false);
}

static unsigned round_check(const char *dir, const struct log *log, struct key_state *keys)
{
	struct rig rig = { .now = clock_read() };
	struct file_report report;
	struct store_stat s;
	unsigned wrong = 0;

	rig.config = (struct store_config){ .path = dir, .limit = LIMIT };
	rig_open(&rig);
	store_stat(rig.store, &s);
	if (s.state != STORE_SERVING || s.set_aside) {
		printf("# the store did not open: %s, error %d\n", store_state_name(s.state),
		       s.last_error);
		wrong++;
	}
	for (unsigned i = 0; i < KEYS; i++)
		if (!key_right(&rig, log, i, &keys[i])) {
			printf("# key %u is wrong\n", i);
			wrong++;
		}
	rig_close(&rig);
	report = file_check_all(dir);
	if (report.wrong[0]) {
		printf("# file: %s\n", report.wrong);
		wrong++;
	}
	/* Then everything that is doomed goes, and all pages are accounted for. */
	rig_open(&rig);
	for (int i = 0; i < 8; i++)
		rig_step(&rig, 200);
	rig_close(&rig);
	report = file_check_all(dir);
	if (report.wrong[0] || report.doomed) {
		printf("# after sweeping: %s, %llu doomed\n", report.wrong,
		       (unsigned long long)report.doomed);
		wrong++;
	}
	return wrong;
}

static void round_run(const char *dir, struct log *log, uint64_t versions)
{
	int fds[2];
	uint64_t ms = 30 + random_below(ROUND_MS);
	pid_t pid;

	CHECK_OK(pipe(fds));
	(void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	(void)fflush(stdout);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(fds[0]);
		child(dir, versions, fds[1]);
	}
	close(fds[1]);
	/* The moment of the kill is the one thing here that is measured by the clock. */
	usleep((useconds_t)ms * 1000);
	(void)kill(pid, SIGKILL);
	log_read(log, fds[0]);
	close(fds[0]);
	CHECK(waitpid(pid, &fds[0], 0) == pid);
	if (!WIFSIGNALED(fds[0])) {
		printf("Bail out! the child ended by itself with %d\n", fds[0]);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 30, wrong = 0;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : clock_mono_ns();
	uint64_t begun = 0, done = 0, began = clock_mono_ns();
	struct key_state keys[KEYS] = { 0 };
	struct log log = { .begun = calloc(WORK_MAX, sizeof(struct message)) };
	const char *tmp = getenv("TMPDIR");
	char dir[64];

	CHECK(log.begun != NULL);
	random_state = seed;
	(void)snprintf(dir, sizeof(dir), "%.40s/tarn-crash-XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(dir) != NULL);
	printf("# seed %llu, %s\n", (unsigned long long)seed, dir);
	for (unsigned i = 0; i < rounds && !wrong; i++) {
		round_run(dir, &log, 1 + (uint64_t)i * WORK_MAX);
		begun += log.n;
		done += log.done;
		wrong = round_check(dir, &log, keys);
		printf("%s %u - killed after %u pieces of work, %u of them answered\n",
		       wrong ? "not ok" : "ok", i + 1, log.n, log.done);
	}
	printf("1..%u\n", rounds);
	printf("# %llu begun, %llu answered, %llu ms\n", (unsigned long long)begun,
	       (unsigned long long)done, (unsigned long long)((clock_mono_ns() - began) / 1000000));
	if (!wrong)
		rig_remove(dir);
	free(log.begun);
	return wrong || done == 0;
}
