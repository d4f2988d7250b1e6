// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes to JSON strings and back, and which names an image may hold. */
#include "manifest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Length of the valid UTF-8 sequence at @s, 0 when there is none. */
static size_t utf8_len(const unsigned char *s)
{
	unsigned int min, code;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2, min = 0x80, code = s[0] & 0x1f;
	else if ((s[0] & 0xf0) == 0xe0)
		len = 3, min = 0x800, code = s[0] & 0x0f;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4, min = 0x10000, code = s[0] & 0x07;
	else
		return 0;
	/* the string's end is no continuation byte, so this never runs past it */
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

char *manifest_escape(const char *bytes)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *s = (const unsigned char *)bytes;
	char *text = malloc(strlen(bytes) * 3 + 1), *to = text;

	if (!text)
		return NULL;
	while (*s) {
		size_t len = *s == '%' ? 0 : utf8_len(s);

		if (len) {
			memcpy(to, s, len);
			to += len;
			s += len;
		} else {
			*to++ = '%';
			*to++ = hex[*s >> 4];
			*to++ = hex[*s & 15];
			s++;
		}
	}
	*to = 0;
	return text;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *manifest_unescape(const char *text)
{
	char *bytes = malloc(strlen(text) + 1), *to = bytes;

	if (!bytes)
		return NULL;
	while (*text) {
		int high, low;

		if (*text != '%') {
			*to++ = *text++;
			continue;
		}
		high = hex_value(text[1]);
		low = high < 0 ? -1 : hex_value(text[2]);
		if (low < 0 || !(high | low)) {
			free(bytes);
			return NULL;
		}
		*to++ = (char)(high << 4 | low);
		text += 3;
	}
	*to = 0;
	return bytes;
}

bool manifest_core_name_ok(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits && digits <= 10 && name[0] != '0' && strcmp(name + digits, ".core") == 0;
}

bool manifest_name_ok(const char *name)
{
	const char *rest;

	if (strcmp(name, MANIFEST_NAME) == 0 || strcmp(name, MANIFEST_FILES) == 0)
		return true;
	if (strncmp(name, MANIFEST_FILES "/", sizeof(MANIFEST_FILES)) != 0)
		return manifest_core_name_ok(name);
	rest = name + sizeof(MANIFEST_FILES);
	if (!isalnum((unsigned char)rest[0]) || strlen(rest) > 64)
		return false;
	for (; *rest; rest++)
		if (!isalnum((unsigned char)*rest) && !strchr("-_.", *rest))
			return false;
	return true;
}
