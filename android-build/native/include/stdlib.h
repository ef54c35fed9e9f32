#pragma once
#include <stddef.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *memory, size_t size);
void free(void *memory);
long strtol(const char *text, char **end, int base);
double strtod(const char *text, char **end);
_Noreturn void abort(void);
