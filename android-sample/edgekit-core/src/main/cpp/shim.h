/* What the shim's files share.
 *
 * Text crosses as UTF-8 in byte arrays: Java's own encoding in JNI writes characters beyond the 16-bit plane, emoji
 * among them, in a way that nobody else reads. Nothing here throws: a function that fails returns 0 or null, and
 * Native.lastError tells why. The only exception that can be pending on return is the JVM's OutOfMemoryError. */
#pragma once

#include <jni.h>
#include <stdint.h>

#define NATIVE(name) JNICALL Java_dev_edgekit_core_engine_Native_##name

/* A handle is a pointer as Kotlin keeps it. */
#define HANDLE(pointer) ((jlong)(intptr_t)(pointer))
#define POINTER(handle) ((void *)(intptr_t)(handle))

/* Copies a byte array into a text that the caller frees; NULL for null. */
char *text_from(JNIEnv *env, jbyteArray bytes);

/* Makes a byte array of a text; null for NULL. */
jbyteArray bytes_from(JNIEnv *env, const char *text);

/* malloc for small things: without them there is no going on. */
void *allocate(size_t size);
