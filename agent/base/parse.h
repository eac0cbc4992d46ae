/*
 * parse: text to numbers and times, whole or not at all, no locale. Every function returns false
 * and leaves *ret alone when the text is anything but the thing asked for.
 */
#ifndef PENATES_BASE_PARSE_H
#define PENATES_BASE_PARSE_H

#include "agent/base/cleanup.h"

bool parse_u64(const char *text, size_t size, uint64_t *ret);
bool parse_i64(const char *text, size_t size, int64_t *ret);
bool parse_hex(const char *text, size_t size, uint8_t *ret_bytes,
               size_t bytes); /* size == 2*bytes */

/* With its padding; size == (bytes + 2) / 3 * 4. On false ret_bytes may hold a part. */
bool parse_base64(const char *text, size_t size, uint8_t *ret_bytes, size_t bytes);

/* "4096", "64K", "8M", "2G", "1T" (powers of 1024, optional "iB" or "B"). */
bool parse_bytes(const char *text, uint64_t *ret_bytes);

/* "500ms", "90s" or "90", "15m", "2h", "1d". */
bool parse_duration_ms(const char *text, uint64_t *ret_ms);

/* RFC 3339 ("2026-11-23T08:00:00Z", offsets, fractions), or Priam's yyyyMMddHHmm and yyyyMMdd
 * (UTC, the spec of Priam's DateUtil.DateRange). Milliseconds since 1970. */
bool parse_time_ms(const char *text, int64_t *ret_ms);

/* Exactly twelve digits, yyyyMMddHHmm, UTC, a date that exists. */
bool parse_minute_ms(const char *text, size_t size, int64_t *ret_ms);

/* "2026-11-23T08:00:00Z", with ".123" only when ms is not a whole second. 32 bytes suffice. */
enum { TIME_TEXT_SIZE = 32 };
const char *format_time(int64_t ms, char text[TIME_TEXT_SIZE]);
/* yyyyMMddHHmm, UTC. */
const char *format_minute(int64_t ms, char text[TIME_TEXT_SIZE]);
/* "1.5 GiB", "812 B". */
enum { BYTES_TEXT_SIZE = 24 };
const char *format_bytes(uint64_t bytes, char text[BYTES_TEXT_SIZE]);
/* Lower-case hex and its NUL: text holds 2 * size + 1. */
void format_hex(const uint8_t *bytes, size_t size, char *text);

/* Days since 1970-01-01 of a proleptic Gregorian date, and back. Pure. */
int64_t days_from_civil(int64_t year, unsigned month, unsigned day);
void civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
