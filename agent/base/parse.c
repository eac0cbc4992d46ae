#include "agent/base/parse.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/err.h"
#include "agent/base/mem.h"

enum { MS_PER_SECOND = 1000, MS_PER_MINUTE = 60000, MS_PER_HOUR = 3600000, MS_PER_DAY = 86400000 };

bool parse_u64(const char *text, size_t size, uint64_t *ret)
{
    if (size == 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            !add_u64(value, (uint64_t)(text[i] - '0'), &value)) {
            return false;
        }
    }
    *ret = value;
    return true;
}

bool parse_i64(const char *text, size_t size, int64_t *ret)
{
    const bool negative = size > 0 && text[0] == '-';
    uint64_t magnitude;
    if (!parse_u64(text + negative, size - negative, &magnitude)) {
        return false;
    }
    if (magnitude > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool parse_hex(const char *text, size_t size, uint8_t *ret_bytes, size_t bytes)
{
    if (size != bytes * 2) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (hex_value(text[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        ret_bytes[i] = (uint8_t)(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
    }
    return true;
}

static int base64_digit(char c)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *const at = c == '\0' ? NULL : strchr(DIGITS, c);
    return at == NULL ? -1 : (int)(at - DIGITS);
}

bool parse_base64(const char *text, size_t size, uint8_t *ret_bytes, size_t bytes)
{
    if (size != (bytes + 2) / 3 * 4) {
        return false;
    }
    uint32_t bits = 0;
    unsigned count = 0;
    size_t made = 0;
    for (size_t i = 0; i < size && made < bytes; i++) {
        const int digit = base64_digit(text[i]);
        if (digit < 0) {
            return false;
        }
        bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            ret_bytes[made] = (uint8_t)(bits >> count);
            made++;
        }
    }
    for (size_t i = size - (3 - bytes % 3) % 3; i < size; i++) {
        if (text[i] != '=') {
            return false;
        }
    }
    return made == bytes;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

bool parse_bytes(const char *text, uint64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        unsigned shift;
    } UNITS[] = {
        {"", 0},     {"B", 0},  {"K", 10},  {"KB", 10},  {"KiB", 10}, {"M", 20},  {"MB", 20},
        {"MiB", 20}, {"G", 30}, {"GB", 30}, {"GiB", 30}, {"T", 40},   {"TB", 40}, {"TiB", 40},
    };
    const size_t digits = count_digits(text);
    uint64_t value;
    if (!parse_u64(text, digits, &value)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        if (strcasecmp(text + digits, UNITS[i].suffix) == 0) {
            if (value > (UINT64_MAX >> UNITS[i].shift)) {
                return false;
            }
            *ret_bytes = value << UNITS[i].shift;
            return true;
        }
    }
    return false;
}

bool parse_duration_ms(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *suffix;
        uint64_t ms;
    } UNITS[] = {{"", MS_PER_SECOND},  {"ms", 1},          {"s", MS_PER_SECOND},
                 {"m", MS_PER_MINUTE}, {"h", MS_PER_HOUR}, {"d", MS_PER_DAY}};
    const size_t digits = count_digits(text);
    uint64_t value;
    if (!parse_u64(text, digits, &value)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        if (strcmp(text + digits, UNITS[i].suffix) == 0) {
            return !__builtin_mul_overflow(value, UNITS[i].ms, ret_ms);
        }
    }
    return false;
}

/* Both from Howard Hinnant's description of the proleptic Gregorian calendar: eras of 400 years, a
 * year that begins in March so that the leap day is its last. */
int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    ASSERT(month >= 1 && month <= 12 && day >= 1 && day <= 31);
    const int64_t y = month <= 2 ? year - 1 : year;
    const int64_t era = (y >= 0 ? y : y - 399) / 400;
    const int64_t year_of_era = y - era * 400;
    const int64_t march_month = (int64_t)month + (month > 2 ? -3 : 9);
    const int64_t day_of_year = (153 * march_month + 2) / 5 + (int64_t)day - 1;
    const int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

void civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    const int64_t shifted = days + 719468;
    const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const int64_t day_of_era = shifted - era * 146097;
    const int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t march_month = (5 * day_of_year + 2) / 153;
    *ret_day = (unsigned)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *ret_month = (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9);
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

struct civil {
    int64_t year;
    unsigned month, day, hour, minute, second;
};

static bool civil_to_ms(const struct civil *civil, int64_t *ret_ms)
{
    if (civil->month < 1 || civil->month > 12 || civil->day < 1 || civil->hour > 23 ||
        civil->minute > 59 || civil->second > 59) {
        return false;
    }
    static const unsigned DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (civil->year % 4 == 0 && civil->year % 100 != 0) || civil->year % 400 == 0;
    if (civil->day > DAYS[civil->month - 1] + (civil->month == 2 && leap ? 1 : 0)) {
        return false;
    }
    *ret_ms = days_from_civil(civil->year, civil->month, civil->day) * MS_PER_DAY +
              (int64_t)civil->hour * MS_PER_HOUR + (int64_t)civil->minute * MS_PER_MINUTE +
              (int64_t)civil->second * MS_PER_SECOND;
    return true;
}

/* Reads exactly `digits` digits at *text and steps over them. */
static bool take_number(const char **text, size_t digits, unsigned *ret)
{
    uint64_t value;
    if (strnlen(*text, digits) < digits || !parse_u64(*text, digits, &value)) {
        return false;
    }
    *text += digits;
    *ret = (unsigned)value;
    return true;
}

static bool take_char(const char **text, const char *allowed)
{
    if (**text == '\0' || strchr(allowed, **text) == NULL) {
        return false;
    }
    (*text)++;
    return true;
}

static bool take_date(const char **text, struct civil *ret)
{
    unsigned year;
    if (!take_number(text, 4, &year) || !take_char(text, "-") ||
        !take_number(text, 2, &ret->month) || !take_char(text, "-") ||
        !take_number(text, 2, &ret->day)) {
        return false;
    }
    ret->year = (int64_t)year;
    return true;
}

static bool take_time(const char **text, struct civil *ret, unsigned *ret_ms)
{
    if (!take_number(text, 2, &ret->hour) || !take_char(text, ":") ||
        !take_number(text, 2, &ret->minute) || !take_char(text, ":") ||
        !take_number(text, 2, &ret->second)) {
        return false;
    }
    *ret_ms = 0;
    if (**text == '.') {
        (*text)++;
        const size_t digits = count_digits(*text);
        if (digits == 0 || digits > 9) {
            return false;
        }
        unsigned weight = 100;
        for (size_t i = 0; i < digits; i++, weight /= 10) {
            *ret_ms += (unsigned)((*text)[i] - '0') * weight;
        }
        *text += digits;
    }
    return true;
}

/* "Z", or "+hh:mm" east of Greenwich. */
static bool take_offset(const char **text, int64_t *ret_ms)
{
    if (take_char(text, "Zz")) {
        *ret_ms = 0;
        return true;
    }
    const bool west = **text == '-';
    unsigned hours;
    unsigned minutes;
    if (!take_char(text, "+-") || !take_number(text, 2, &hours) || !take_char(text, ":") ||
        !take_number(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    const int64_t offset = (int64_t)hours * MS_PER_HOUR + (int64_t)minutes * MS_PER_MINUTE;
    *ret_ms = west ? -offset : offset;
    return true;
}

static bool parse_rfc3339(const char *text, int64_t *ret_ms)
{
    struct civil civil = {0};
    unsigned fraction_ms;
    int64_t offset_ms;
    int64_t ms;
    if (!take_date(&text, &civil) || !take_char(&text, "Tt ") ||
        !take_time(&text, &civil, &fraction_ms) || !take_offset(&text, &offset_ms) ||
        *text != '\0' || !civil_to_ms(&civil, &ms)) {
        return false;
    }
    *ret_ms = ms + (int64_t)fraction_ms - offset_ms;
    return true;
}

bool parse_minute_ms(const char *text, size_t size, int64_t *ret_ms)
{
    if (size != 12 || strnlen(text, size) < size) {
        return false;
    }
    struct civil civil = {0};
    unsigned year;
    if (!take_number(&text, 4, &year) || !take_number(&text, 2, &civil.month) ||
        !take_number(&text, 2, &civil.day) || !take_number(&text, 2, &civil.hour) ||
        !take_number(&text, 2, &civil.minute)) {
        return false;
    }
    civil.year = (int64_t)year;
    return civil_to_ms(&civil, ret_ms);
}

bool parse_time_ms(const char *text, int64_t *ret_ms)
{
    const size_t size = strlen(text);
    if (size == count_digits(text)) {
        char minute[13];
        if (size == 8) { /* yyyyMMdd is that day's midnight */
            (void)snprintf(minute, sizeof(minute), "%s0000", text);
            return parse_minute_ms(minute, 12, ret_ms);
        }
        return parse_minute_ms(text, size, ret_ms);
    }
    return parse_rfc3339(text, ret_ms);
}

static struct civil civil_from_ms(int64_t ms, unsigned *ret_ms)
{
    int64_t days = ms / MS_PER_DAY;
    int64_t rest = ms % MS_PER_DAY;
    if (rest < 0) {
        days--;
        rest += MS_PER_DAY;
    }
    struct civil civil;
    civil_from_days(days, &civil.year, &civil.month, &civil.day);
    civil.hour = (unsigned)(rest / MS_PER_HOUR);
    civil.minute = (unsigned)(rest / MS_PER_MINUTE % 60);
    civil.second = (unsigned)(rest / MS_PER_SECOND % 60);
    *ret_ms = (unsigned)(rest % MS_PER_SECOND);
    return civil;
}

const char *format_time(int64_t ms, char text[TIME_TEXT_SIZE])
{
    unsigned fraction;
    const struct civil c = civil_from_ms(ms, &fraction);
    const int size = snprintf(text, TIME_TEXT_SIZE, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u",
                              c.year, c.month, c.day, c.hour, c.minute, c.second);
    if (size > 0 && size < TIME_TEXT_SIZE) {
        char *end = text + size;
        const size_t room = TIME_TEXT_SIZE - (size_t)size;
        (void)(fraction == 0 ? snprintf(end, room, "Z") : snprintf(end, room, ".%03uZ", fraction));
    }
    return text;
}

const char *format_minute(int64_t ms, char text[TIME_TEXT_SIZE])
{
    unsigned fraction;
    const struct civil c = civil_from_ms(ms, &fraction);
    (void)snprintf(text, TIME_TEXT_SIZE, "%04" PRId64 "%02u%02u%02u%02u", c.year, c.month, c.day,
                   c.hour, c.minute); /* years of more than four digits are cut, and unreachable */
    return text;
}

const char *format_bytes(uint64_t bytes, char text[BYTES_TEXT_SIZE])
{
    static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t scale = 1;
    while (bytes / scale >= 1024 && unit + 1 < ARRAY_SIZE(UNITS)) {
        scale *= 1024;
        unit++;
    }
    const int decimals = unit == 0 ? 0 : 1;
    (void)snprintf(text, BYTES_TEXT_SIZE, "%.*f %s", decimals, (double)bytes / (double)scale,
                   UNITS[unit]);
    return text;
}

void format_hex(const uint8_t *bytes, size_t size, char *text)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = DIGITS[bytes[i] >> 4];
        text[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    text[2 * size] = '\0';
}
