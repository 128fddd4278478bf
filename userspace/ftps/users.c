// SPDX-License-Identifier: GPL-2.0
#include "users.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE 1024
/* Something to compute for names that are not there: of the usual cost, and no password's. */
#define NOBODY "$6$nobodynobody$x"

/* Find a line NAME:HASH; any for NULL. Return: whether there is one; its hash is in @hash then. */
static bool find_user(const char *users, const char *name, char *hash)
{
	FILE *f = fmemopen((void *)users, strlen(users), "r");
	char line[LINE];
	bool here = false;

	while (f && !here && fgets(line, LINE, f)) {
		char *colon = strchr(line, ':');

		line[strcspn(line, "\r\n")] = '\0';
		if (*line == '#' || !colon || colon == line || !colon[1])
			continue;
		*colon = '\0';
		here = !name || !strcmp(line, name);
		if (here)
			strcpy(hash, colon + 1);
	}
	if (f)
		fclose(f);
	OPENSSL_cleanse(line, sizeof(line));
	return here;
}

const char *users_load(const char *file, char **users)
{
	FILE *f = fopen(file, "re");
	char *text = NULL, any[LINE];
	size_t size = 0;
	struct stat sb;
	const char *why = NULL;

	if (!f)
		return strerror(errno);
	if (fstat(fileno(f), &sb) < 0 || !S_ISREG(sb.st_mode))
		why = "not a plain file";
	else if (sb.st_mode & 07)
		why = "others may read it: chmod 600";
	else if (getdelim(&text, &size, '\0', f) < 0 || !find_user(text, NULL, any))
		why = "nobody is in it: lines NAME:HASH are wanted";
	fclose(f);
	OPENSSL_cleanse(any, sizeof(any));
	free(why ? text : *users);
	if (!why)
		*users = text;
	return why;
}

static bool is_password(const char *password, const char *hash)
{
	struct crypt_data *work = calloc(1, sizeof(*work));
	char *got = work ? crypt_r(password, hash, work) : NULL;
	size_t len = strlen(hash);
	/* What crypt(3) cannot do gives a text that begins with '*', and so is no hash. */
	bool same = got && *got != '*' && strlen(got) == len && !CRYPTO_memcmp(got, hash, len);

	if (work)
		OPENSSL_cleanse(work, sizeof(*work));
	free(work);
	return same;
}

bool users_login(const char *users, const char *name, const char *password)
{
	char hash[LINE] = NOBODY;
	bool known = find_user(users, name, hash), right = is_password(password, hash);

	OPENSSL_cleanse(hash, sizeof(hash));
	return known && right;
}
