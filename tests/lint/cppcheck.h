/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For cppcheck only, which does not search system headers: loops whose macro it must see through to
 * know that the variable is set.
 */
#define HASH_ITER(hh, head, el, tmp)                                                               \
	for ((el) = (head), (tmp) = (el) ? (el)->hh.next : NULL; (el);                             \
	     (el) = (tmp), (tmp) = (el) ? (el)->hh.next : NULL)
/* libbpf's: a struct of options, zeroed but for what is named. */
#define LIBBPF_OPTS(type, name, ...)	     struct type name = { __VA_ARGS__ }
#define DECLARE_LIBBPF_OPTS(type, name, ...) struct type name = { __VA_ARGS__ }
/* Jansson's. */
#define json_array_foreach(array, i, value)                                                        \
	for ((i) = 0; (i) < json_array_size(array) && ((value) = json_array_get(array, i)); (i)++)
