/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of all counters and gauges, by room. Append a line to your room; ids are one enum
 * (stat.h).
 *
 *	ONE(ID, kind, "name", "help")			becomes STAT_ID
 *	MANY(ID, count, kind, "name", "help")		becomes STAT_ID_FIRST + i; stat_label() names each i
 *
 * A name is stable: scripts and dashboards read it. Bytes and milliseconds say so in the name.
 */
#ifndef FIRMWARE_BASE_STATS_H
#define FIRMWARE_BASE_STATS_H

#define HISTOGRAM_KINDS 5  /* outcomes (histogram.h) */
#define HISTOGRAM_SIZE	17 /* buckets and the sum */

/* clang-format off */
#define STATS(ONE, MANY) \
	/* connections of devices */ \
	ONE(CONN_ACCEPTED, COUNTER, "conn.accepted", "connections accepted from devices") \
	ONE(CONN_OPEN, GAUGE, "conn.open", "connections of devices that are open now") \
	ONE(CONN_IDLE_CLOSED, COUNTER, "conn.idle_closed", "kept-alive connections closed after the idle limit") \
	ONE(CONN_TIMEOUT, COUNTER, "conn.timeout", "connections ended because a request head or body took too long") \
	ONE(CONN_OVER_LIMIT, COUNTER, "conn.over_limit", "connections closed at once because max_connections are open") \
	ONE(CONN_ABORTED, COUNTER, "conn.aborted", "connections that the device ended in the middle of a response") \
	ONE(CONN_ACCEPT_ERRORS, COUNTER, "conn.accept_errors", "accept(2) failures other than a device gone already") \
	ONE(CONN_DENIED, COUNTER, "conn.denied", "explicit-proxy clients outside [proxy] allow") \
	/* what came first on a connection */ \
	ONE(SNIFF_HTTP, COUNTER, "sniff.http", "connections that began with an HTTP request") \
	ONE(SNIFF_TLS, COUNTER, "sniff.tls", "connections that began with a TLS hello") \
	ONE(SNIFF_OTHER, COUNTER, "sniff.other", "connections that began with something else") \
	ONE(SNIFF_SILENT, COUNTER, "sniff.silent", "connections on which the device said nothing within sniff_wait") \
	MANY(TLS_DECIDED, 32, COUNTER, "tls.decided", "intercepted TLS connections, by what became of them and why") \
	ONE(TLS_HANDSHAKES, COUNTER, "tls.handshakes", "TLS handshakes with devices that we ended well") \
	ONE(TLS_RESUMED, COUNTER, "tls.resumed", "... of these, resumed by a ticket") \
	ONE(TLS_OPEN, GAUGE, "tls.open", "TLS connections with devices that are open now") \
	ONE(TLS_SOURCE_REFUSED, COUNTER, "tls.source_refused", "connections to listen_tls that were cut: no hello, no name of the box's, a flood, or no certificate") \
	ONE(TLS_MISDIRECTED, COUNTER, "tls.misdirected", "requests for another host than the TLS connection's: 421") \
	ONE(TLS_UPGRADES, COUNTER, "tls.upgrades", "requests inside TLS for another protocol: 421, and that device's next connection is carried through") \
	ONE(TLS_DISTRUST_UNSAVED, COUNTER, "tls.distrust_unsaved", "times that who trusts us could not be written down") \
	MANY(TLS_FAILED, 8, COUNTER, "tls.failed", "our handshakes that devices did not accept, by what they did") \
	ONE(TLS_LEAF_MINTED, COUNTER, "tls.leaf_minted", "certificates that the keeper signed for us") \
	ONE(TLS_LEAF_REFUSED, COUNTER, "tls.leaf_refused", "certificates that the keeper refused to sign") \
	ONE(TLS_LEAF_LOST, COUNTER, "tls.leaf_lost", "certificates that were asked for and not answered") \
	ONE(TLS_LEAF_BUSY, COUNTER, "tls.leaf_busy", "certificates that were not asked for: too many at once") \
	/* connections carried through whole */ \
	ONE(SPLICE_OPEN, GAUGE, "splice.open", "spliced connections that are open now") \
	ONE(SPLICE_TLS, COUNTER, "splice.tls", "connections spliced because they are TLS") \
	ONE(SPLICE_CONNECT, COUNTER, "splice.connect", "CONNECT tunnels") \
	ONE(SPLICE_NOT_HTTP, COUNTER, "splice.not_http", "connections spliced because they are not HTTP") \
	ONE(SPLICE_SILENT, COUNTER, "splice.silent", "connections spliced because the device waits for the server") \
	ONE(SPLICE_FOREIGN, COUNTER, "splice.foreign_host", "connections carried to their original destination: the host is not a vendor's") \
	ONE(SPLICE_NEVER, COUNTER, "splice.never_host", "connections to hosts that the profile never intercepts") \
	ONE(SPLICE_UNREACHABLE, COUNTER, "splice.unreachable", "connections carried to their original destination because we can't reach the vendor ourselves") \
	ONE(SPLICE_REFUSED, COUNTER, "splice.refused", "steered connections carried through because their HTTP is not ours to repair") \
	ONE(SPLICE_FAILED, COUNTER, "splice.failed", "splices whose destination could not be connected") \
	ONE(SPLICE_BYTES_UP, COUNTER, "splice.bytes_up", "bytes from devices through splices") \
	ONE(SPLICE_BYTES_DOWN, COUNTER, "splice.bytes_down", "bytes to devices through splices") \
	/* requests */ \
	ONE(REQUESTS, COUNTER, "requests", "requests whose head was accepted") \
	ONE(REQUEST_HIT, COUNTER, "request.hit", "answered from the store, fresh") \
	ONE(REQUEST_REVALIDATED, COUNTER, "request.revalidated", "answered from the store after the vendor confirmed it (304)") \
	ONE(REQUEST_STALE, COUNTER, "request.stale", "answered from the store although stale, the vendor being unreachable") \
	ONE(REQUEST_MISS, COUNTER, "request.miss", "fetched from the vendor; this request started the fetch") \
	ONE(REQUEST_COLLAPSED, COUNTER, "request.collapsed", "joined a fetch that another request had started") \
	ONE(REQUEST_PASS, COUNTER, "request.pass", "passed on and not stored, by the profile or the response") \
	ONE(REQUEST_RELAY, COUNTER, "request.relay", "relayed: a method other than GET and HEAD") \
	ONE(REQUEST_FOREIGN, COUNTER, "request.foreign", "relayed for a host that is not a vendor's") \
	ONE(REQUEST_STRAIGHT, COUNTER, "request.straight", "passed on without the store: the device goes straight ([scope])") \
	ONE(REQUEST_ERROR, COUNTER, "request.error", "answered with an error of our own (5xx)") \
	ONE(REQUEST_REFUSED, COUNTER, "request.refused", "refused with a 4xx or 5xx of our own") \
	ONE(REQUEST_HTTPS_REFUSED, COUNTER, "request.https_refused", "refused with 501: https was asked of the explicit proxy in clear, not by CONNECT") \
	ONE(REQUEST_RANGE, COUNTER, "request.range", "answered with 206 from the store or a flight") \
	ONE(REQUEST_NOT_MODIFIED, COUNTER, "request.not_modified", "answered with 304: the device's copy is current") \
	MANY(REQUEST_FIRST_BYTE, HISTOGRAM_KINDS * HISTOGRAM_SIZE, COUNTER, "request.first_byte", "shown by histogram.h") \
	MANY(REQUEST_WHOLE, HISTOGRAM_KINDS * HISTOGRAM_SIZE, COUNTER, "request.whole", "shown by histogram.h") \
	MANY(HTTP_REFUSED, 64, COUNTER, "http.refused", "messages refused by the HTTP parser, by reason") \
	/* bytes */ \
	ONE(BYTES_TO_DEVICES, COUNTER, "bytes.to_devices", "body bytes sent to devices for cacheable requests") \
	ONE(BYTES_FROM_VENDOR, COUNTER, "bytes.from_vendor", "body bytes received from vendors for cacheable requests") \
	ONE(BYTES_FROM_STORE, COUNTER, "bytes.from_store", "body bytes sent to devices straight from the store") \
	ONE(BYTES_BY_SENDFILE, COUNTER, "bytes.by_sendfile", "of those from the store, what was sent without copying them") \
	/* flights */ \
	ONE(FLIGHT_STARTED, COUNTER, "flight.started", "fetches started") \
	ONE(FLIGHT_OPEN, GAUGE, "flight.open", "fetches under way") \
	ONE(FLIGHT_READERS, GAUGE, "flight.readers", "requests reading from fetches now") \
	ONE(FLIGHT_DONE, COUNTER, "flight.done", "fetches that ended complete") \
	ONE(FLIGHT_FAILED, COUNTER, "flight.failed", "fetches that failed for good") \
	ONE(FLIGHT_ABANDONED, COUNTER, "flight.abandoned", "fetches stopped because nobody waited any more") \
	ONE(FLIGHT_FILLS, COUNTER, "flight.fills", "holes of objects that are mostly stored, fetched though nobody asked for them") \
	ONE(FLIGHT_RESUMED, COUNTER, "flight.resumed", "fetches taken up again in the middle by a range request") \
	ONE(FLIGHT_COMPLETED, COUNTER, "flight.completed", "stored parts that became the whole by a fetch of what was missing") \
	ONE(FLIGHT_SELECTED, COUNTER, "flight.selected", "variants answered by one that was stored, as the vendor's 304 said") \
	ONE(FLIGHT_LEADER_LEFT, COUNTER, "flight.leader_left", "fetches that went on after the request that started them was gone") \
	ONE(FLIGHT_SLOW_READER, COUNTER, "flight.slow_reader", "readers that fell out of a flight's window") \
	ONE(FLIGHT_BYTES, GAUGE, "flight.bytes", "memory held by flights' windows, bytes") \
	/* upstream */ \
	ONE(UPSTREAM_CONNECTS, COUNTER, "upstream.connects", "connections to vendors that came to be") \
	ONE(UPSTREAM_CONNECT_FAILURES, COUNTER, "upstream.connect_failures", "connections to vendors that did not") \
	ONE(UPSTREAM_REUSED, COUNTER, "upstream.reused", "requests sent on a kept-alive connection") \
	ONE(UPSTREAM_OPEN, GAUGE, "upstream.open", "connections to vendors that are open now") \
	ONE(UPSTREAM_IDLE, GAUGE, "upstream.idle", "of these, kept alive and idle") \
	ONE(UPSTREAM_REQUESTS, COUNTER, "upstream.requests", "requests sent to vendors") \
	ONE(UPSTREAM_RETRIES, COUNTER, "upstream.retries", "requests tried again at another address or mirror") \
	ONE(UPSTREAM_TIMEOUT_CONNECT, COUNTER, "upstream.timeout_connect", "connects that took longer than connect_timeout") \
	ONE(UPSTREAM_TIMEOUT_FIRST_BYTE, COUNTER, "upstream.timeout_first_byte", "responses that did not start within first_byte_timeout") \
	ONE(UPSTREAM_TIMEOUT_IDLE, COUNTER, "upstream.timeout_idle", "responses that stopped for longer than idle_timeout") \
	ONE(UPSTREAM_INTERIMS_REFUSED, COUNTER, "upstream.interims_refused", "responses given up because one 1xx came after the other") \
	ONE(UPSTREAM_BAD_RESPONSE, COUNTER, "upstream.bad_response", "responses that broke HTTP and were not used") \
	ONE(UPSTREAM_TLS_HANDSHAKES, COUNTER, "upstream.tls_handshakes", "TLS handshakes with vendors in which all was verified") \
	ONE(UPSTREAM_TLS_RESUMED, COUNTER, "upstream.tls_resumed", "of these, those that resumed a session") \
	MANY(UPSTREAM_TLS_REFUSED, 32, COUNTER, "upstream.tls_refused", "TLS handshakes with vendors that were given up, by reason") \
	ONE(UPSTREAM_TLS_CUT, COUNTER, "upstream.tls_cut", "TLS connections to vendors that just ended, without TLS's own end") \
	ONE(UPSTREAM_TLS_PROBES, COUNTER, "upstream.tls_probes", "handshakes made to find out whether a vendor's certificate is valid") \
	ONE(UPSTREAM_RESTED, COUNTER, "upstream.address_rested", "addresses left alone for a while after failures") \
	ONE(PARENT_REQUESTS, COUNTER, "parent.requests", "requests sent to a parent instead of the vendor") \
	ONE(PARENT_TUNNELS, COUNTER, "parent.tunnels", "connections to vendors made through a parent (CONNECT)") \
	ONE(PARENT_FAILURES, COUNTER, "parent.failures", "requests that a parent did not do, asked elsewhere") \
	ONE(PARENT_BYPASSED, COUNTER, "parent.bypassed", "requests that went straight because no parent was well") \
	ONE(PARENT_LOOPS, COUNTER, "parent.loops", "parents that were found to lead back here") \
	ONE(PARENT_CHECKS, COUNTER, "parent.checks", "questions whether a parent is there") \
	ONE(PARENT_CHECK_FAILURES, COUNTER, "parent.check_failures", "of these, without a good answer") \
	ONE(PARENT_DOWN, GAUGE, "parent.down", "parents that are not asked now") \
	/* DNS and reachability */ \
	ONE(DNS_LOOKUPS, COUNTER, "dns.lookups", "names asked of a resolver") \
	ONE(DNS_CACHE_HITS, COUNTER, "dns.cache_hits", "names answered from memory") \
	ONE(DNS_FAILURES, COUNTER, "dns.failures", "lookups without an address") \
	ONE(DNS_STALE_USED, COUNTER, "dns.stale_used", "lookups answered by an expired entry because all resolvers failed") \
	ONE(DNS_HIJACKED, COUNTER, "dns.hijacked", "answers that cannot be true: a private address for a public name") \
	ONE(REACH_PROBES, COUNTER, "reach.probes", "reachability probes") \
	ONE(REACH_PROBE_FAILURES, COUNTER, "reach.probe_failures", "reachability probes that failed") \
	ONE(REACH_SWITCH_PUBLIC, COUNTER, "reach.switch_to_public", "switches from the system's to public resolvers") \
	ONE(REACH_SWITCH_SYSTEM, COUNTER, "reach.switch_to_system", "returns to the system's resolvers") \
	ONE(REACH_UNREACHABLE, GAUGE, "reach.unreachable", "vendors that no resolver reaches now") \
	/* the store */ \
	ONE(STORE_OBJECTS, GAUGE, "store.objects", "objects in the store") \
	ONE(STORE_BYTES, GAUGE, "store.bytes", "bytes of live data in the store") \
	ONE(STORE_LIMIT_BYTES, GAUGE, "store.limit_bytes", "bytes the store may hold") \
	ONE(STORE_TAKEN, COUNTER, "store.taken", "pieces of work that the writer took; store.answered of them are done") \
	ONE(STORE_ANSWERED, COUNTER, "store.answered", "pieces of work that the writer committed, or answered with an error") \
	ONE(STORE_COMMITS, COUNTER, "store.commits", "transactions committed") \
	ONE(STORE_COMMIT_ERRORS, COUNTER, "store.commit_errors", "transactions that failed; what they held was served uncached") \
	ONE(SCRUB_OBJECTS, COUNTER, "scrub.objects", "objects whose bytes were read again and compared") \
	ONE(SCRUB_BYTES, COUNTER, "scrub.bytes", "bytes read for that") \
	ONE(STORE_MAP_FULL, COUNTER, "store.map_full", "times that the data file had no free run long enough and the store made more room") \
	ONE(STORE_STORED, COUNTER, "store.stored", "objects stored") \
	ONE(STORE_STORED_BYTES, COUNTER, "store.stored_bytes", "body bytes stored") \
	ONE(STORE_DROPPED, COUNTER, "store.dropped", "objects not stored because the writer lagged or the disk was full") \
	ONE(STORE_EVICTED, COUNTER, "store.evicted", "objects evicted to make room") \
	ONE(STORE_VARIANTS_DROPPED, COUNTER, "store.variants_dropped", "variants that went because their URI had too many (Vary)") \
	ONE(STORE_EVICTED_BYTES, COUNTER, "store.evicted_bytes", "bytes evicted to make room") \
	ONE(STORE_BAD_RECORDS, COUNTER, "store.bad_records", "records that did not parse and were treated as absent") \
	ONE(STORE_BAD_CHUNKS, COUNTER, "store.bad_chunks", "chunks whose checksum did not match; never served") \
	ONE(GENERATIONS, COUNTER, "generation.new", "times that a vendor's index had changed: objects are validated once after each") \
	ONE(GENERATION_HELD, COUNTER, "generation.held", "times that a changed index was held back, devices getting the one before") \
	ONE(GENERATION_HOLD_EXPIRED, COUNTER, "generation.hold_expired", "times that it was not held back any longer because publish_limit had passed") \
	ONE(GENERATION_PINNED, COUNTER, "generation.pinned", "requests answered from the generation before, on which the device's update had begun") \
	ONE(STORE_QUEUE_BYTES, GAUGE, "store.queue_bytes", "bytes waiting for the writer") \
	ONE(STORE_FILE_BYTES, GAUGE, "store.file_bytes", "size of the store's file: pages in use, and those that are free to be used again") \
	ONE(STORE_MAP_BYTES, GAUGE, "store.map_bytes", "size that the file can never exceed") \
	ONE(STORE_DOOMED_BYTES, GAUGE, "store.doomed_bytes", "bytes of pages in use that wait for a reader to finish, to be free") \
	ONE(STORE_WRITER_LAG_MS, GAUGE, "store.writer_lag_ms", "age of the oldest write that waits for the writer") \
	ONE(STORE_COMMIT_WORST_MS, GAUGE, "store.commit_worst_ms", "the longest commit since the start") \
	ONE(LEASES_OPEN, GAUGE, "lease.open", "objects kept from deletion because someone reads them") \
	ONE(LEASES_DEFERRED, COUNTER, "lease.deferred", "deletions that waited for a reader") \
	/* indexes */ \
	MANY(INDEX_REFUSED, 32, COUNTER, "index.refused", "indexes that were refused as a whole, by reason") \
	/* what is asked for */ \
	ONE(DEMAND_OBJECTS, GAUGE, "demand.objects", "objects that devices have asked for in the window") \
	ONE(DEMAND_DEVICES, GAUGE, "demand.devices", "devices that have asked for something in the window") \
	ONE(DEMAND_DROPPED, COUNTER, "demand.dropped", "requests that were not noted because the notes' ring was full") \
	ONE(DEMAND_FORGOTTEN, GAUGE, "demand.forgotten", "objects and devices that were forgotten since the start because there was no room for more") \
	MANY(MDNS, 8, COUNTER, "mdns.packets", "Multicast DNS packets that were looked at for their sender's name, by what was in them") \
	ONE(MDNS_FLOODED, COUNTER, "mdns.flooded", "seconds whose rest was not listened to because too much was said") \
	/* fetching ahead */ \
	ONE(SYNC_RUNS, COUNTER, "sync.runs", "runs of fetching ahead that were begun") \
	ONE(SYNC_FAILED, COUNTER, "sync.failed", "of these, those that failed and are tried again") \
	ONE(SYNC_OBJECTS, COUNTER, "sync.objects", "objects that were fetched ahead") \
	ONE(SYNC_BYTES, COUNTER, "sync.bytes", "bytes of these") \
	ONE(SYNC_MISMATCH, COUNTER, "sync.mismatch", "objects that were not what the index names, by size or digest: dropped, the old generation stays") \
	ONE(SYNC_INDEX_REFUSED, COUNTER, "sync.index_refused", "indexes that could not be read as the profile says") \
	/* carried by hand */ \
	ONE(IMPORT_PUBLISHED, COUNTER, "import.published", "generations that were imported and published") \
	ONE(IMPORT_OBJECTS, COUNTER, "import.objects", "objects that imports brought") \
	ONE(IMPORT_BYTES, COUNTER, "import.bytes", "bytes of these") \
	ONE(IMPORT_REFUSED, COUNTER, "import.refused", "imports, or objects of one, that were refused: nothing was published") \
	/* the process */ \
	ONE(LOOP_LAG_MS, GAUGE, "loop.lag_ms", "how late a worker's timers ran at worst in the last seconds") \
	MANY(LOOP_WORKER_LAG, 64, GAUGE, "loop.worker_lag_ms", "the same, of each worker") \
	ONE(WORKERS_RUNNING, GAUGE, "loop.workers", "workers that run") \
	ONE(KEEPER_DROPPED, COUNTER, "keeper.dropped", "messages to the keeper dropped because its socket was full") \
	ONE(KEEPER_REFUSED, COUNTER, "keeper.refused", "messages from the keeper that were not valid") \
	ONE(KEEPER_LEARNED, COUNTER, "keeper.learned", "vendor addresses that the keeper learned from devices' DNS answers") \
	ONE(SELFTEST_OK, GAUGE, "selftest.ok", "1: the keeper's last selftest came through; 0: it failed, or none has run") \
	ONE(SELFTEST_FAILED, COUNTER, "selftest.failed", "selftests of the keeper that failed") \
	ONE(ADMIN_REQUESTS, COUNTER, "admin.requests", "requests to the admin API") \
	ONE(ADMIN_CONNECTIONS, GAUGE, "admin.connections", "connections to the admin page's HTTPS side that are open now") \
	ONE(ADMIN_UNHEARD, COUNTER, "admin.unheard", "addresses of [admin] listen that could not be had: another program has them, or there are too many") \
	ONE(ADMIN_REFUSED, COUNTER, "admin.refused", "requests to that side refused by address, host, origin, CSRF token or coding") \
	ONE(ADMIN_OUTSIDE, COUNTER, "admin.outside", "packets for that side that came from the upstream port, dropped by the kernel ([admin] from)") \
	ONE(ADMIN_NO_MEMORY, COUNTER, "admin.no_memory", "connections to it that there was no memory for") \
	ONE(ADMIN_OVER_LIMIT, COUNTER, "admin.over_limit", "connections to it ended because too many are open") \
	ONE(ADMIN_DOWNLOADS, COUNTER, "admin.downloads", "files of the world that root on this machine asked for (tarnctl update), and that came or began to") \
	ONE(ADMIN_DOWNLOAD_FAILED, COUNTER, "admin.download_failed", "the same, when there was no way to them or no answer that makes sense") \
	ONE(ADMIN_LOGINS, COUNTER, "admin.logins", "log-ins to the admin page") \
	ONE(ADMIN_LOGIN_WRONG, COUNTER, "admin.login_wrong", "wrong passwords") \
	ONE(ADMIN_LOGIN_LIMITED, COUNTER, "admin.login_limited", "log-ins refused unlooked at because too many went wrong") \
	ONE(LOG_SUPPRESSED, COUNTER, "log.suppressed", "log lines left out by the rate limit") \
	ONE(LOG_LOST, COUNTER, "log.lost", "log lines that could not be written") \
	ONE(CONFIG_RELOADS, COUNTER, "config.reloads", "configurations taken over while running") \
	ONE(CONFIG_REFUSED, COUNTER, "config.refused", "configurations refused while running; the old one stayed")
/* clang-format on */

#endif
