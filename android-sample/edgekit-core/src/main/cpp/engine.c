/* Engines, their tokenizers, and what a model file says of itself. */

#include "litert_lm.h"
#include "shim.h"

#include <stdlib.h>
#include <string.h>

void *allocate(size_t size) {
  void *memory = malloc(size);
  if (!memory) abort();
  return memory;
}

char *text_from(JNIEnv *env, jbyteArray bytes) {
  if (!bytes) return NULL;
  jsize size = (*env)->GetArrayLength(env, bytes);
  char *text = allocate((size_t)size + 1);
  (*env)->GetByteArrayRegion(env, bytes, 0, size, (jbyte *)text);
  text[size] = 0;
  return text;
}

jbyteArray bytes_from(JNIEnv *env, const char *text) {
  if (!text) return NULL;
  jsize size = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, size);
  if (bytes) (*env)->SetByteArrayRegion(env, bytes, 0, size, (const jbyte *)text);
  return bytes;
}

static jintArray ints_from(JNIEnv *env, const int *values, size_t count) {
  jintArray array = (*env)->NewIntArray(env, (jsize)count);
  if (array) (*env)->SetIntArrayRegion(env, array, 0, (jsize)count, (const jint *)values);
  return array;
}

JNIEXPORT jbyteArray NATIVE(lastError)(JNIEnv *env, jobject self) {
  (void)self;
  return bytes_from(env, litert_lm_get_last_error_message());
}

JNIEXPORT jint NATIVE(lastErrorCode)(JNIEnv *env, jobject self) {
  (void)env, (void)self;
  return litert_lm_get_last_error_code();
}

/* The most tokens that a file's conversations may hold, 0 when it does not say. */
JNIEXPORT jint NATIVE(contextTokensOf)(JNIEnv *env, jobject self, jbyteArray path) {
  (void)self;
  char *name = text_from(env, path);
  LmFile *file = litert_lm_loaded_file_create(name);
  jint tokens = file ? (jint)litert_lm_loaded_file_max_context_tokens(file) : 0;
  if (file) litert_lm_loaded_file_delete(file);
  free(name);
  return tokens;
}

/* The oldest runtime that a file asks for, null when it does not say. */
JNIEXPORT jbyteArray NATIVE(minimumRuntimeOf)(JNIEnv *env, jobject self, jbyteArray path) {
  (void)self;
  char *name = text_from(env, path);
  LmFile *file = litert_lm_loaded_file_create(name);
  jbyteArray version = file ? bytes_from(env, litert_lm_loaded_file_min_runtime_version(file)) : NULL;
  if (file) litert_lm_loaded_file_delete(file);
  free(name);
  return version;
}

/* lora_rank: of the adapters that the model takes, 0 for none. A GPU sets aside what adapters need when it starts; the
 * CPU reads it out of the model. */
JNIEXPORT jlong NATIVE(openEngine)(JNIEnv *env, jobject self, jbyteArray model, jboolean gpu, jbyteArray cache,
                                   jint max_tokens, jint threads, jint prefill_chunk, jint lora_rank) {
  (void)self;
  litert_lm_set_min_log_level(LM_LOG_ERRORS);
  litert_lm_clear_last_error();
  char *path = text_from(env, model), *directory = text_from(env, cache);
  LmSettings *settings = litert_lm_engine_settings_create(path, gpu ? "gpu" : "cpu", NULL, NULL);
  LmEngine *engine = NULL;
  if (settings) {
    litert_lm_engine_settings_set_max_num_tokens(settings, max_tokens);
    litert_lm_engine_settings_set_cache_dir(settings, directory);
    litert_lm_engine_settings_set_prefill_chunk_size(settings, prefill_chunk);
    if (threads > 0 && !gpu) litert_lm_engine_settings_set_num_threads(settings, threads);
    if (gpu) litert_lm_engine_settings_set_gpu_wait_for_weight_uploads(settings, true);
    bool takes_adapters = true;
    if (gpu && lora_rank > 0) {
      const int rank = lora_rank;
      litert_lm_engine_settings_set_lora_rank(settings, rank);
      takes_adapters = litert_lm_engine_settings_set_supported_lora_ranks(settings, &rank, 1) == 0;
    }
    litert_lm_engine_settings_enable_benchmark(settings); /* only collects the figures of each turn */
    if (takes_adapters) engine = litert_lm_engine_create(settings);
    litert_lm_engine_settings_delete(settings);
  }
  free(directory);
  free(path);
  return HANDLE(engine);
}

JNIEXPORT void NATIVE(closeEngine)(JNIEnv *env, jobject self, jlong engine) {
  (void)env, (void)self;
  litert_lm_engine_delete(POINTER(engine));
}

JNIEXPORT jintArray NATIVE(tokenize)(JNIEnv *env, jobject self, jlong engine, jbyteArray text) {
  (void)self;
  litert_lm_clear_last_error();
  char *utf8 = text_from(env, text);
  LmTokens *tokens = litert_lm_engine_tokenize(POINTER(engine), utf8);
  free(utf8);
  if (!tokens) return NULL;
  size_t count = litert_lm_tokenize_result_get_num_tokens(tokens);
  jintArray ids = ints_from(env, litert_lm_tokenize_result_get_tokens(tokens), count);
  litert_lm_tokenize_result_delete(tokens);
  return ids;
}

JNIEXPORT jboolean NATIVE(hasStartToken)(JNIEnv *env, jobject self, jlong engine) {
  (void)env, (void)self;
  LmTokenUnion *token = litert_lm_engine_get_start_token(POINTER(engine));
  if (token) litert_lm_token_union_delete(token);
  return token != NULL;
}

/* The ids of a token that is given by ids or by its text. */
static jintArray ids_of(JNIEnv *env, LmEngine *engine, LmTokenUnion *token) {
  const int *ids = NULL;
  size_t count = 0;
  if (litert_lm_token_union_get_type(token) == LM_TOKEN_UNION_IDS)
    return litert_lm_token_union_get_ids(token, &ids, &count) == 0 ? ints_from(env, ids, count) : NULL;
  LmTokens *tokens = litert_lm_engine_tokenize(engine, litert_lm_token_union_get_string(token));
  if (!tokens) return NULL;
  jintArray array = ints_from(env, litert_lm_tokenize_result_get_tokens(tokens),
                              litert_lm_tokenize_result_get_num_tokens(tokens));
  litert_lm_tokenize_result_delete(tokens);
  return array;
}

/* An array of arrays of ids; an entry is null when the engine does not say. */
JNIEXPORT jobjectArray NATIVE(stopTokens)(JNIEnv *env, jobject self, jlong engine) {
  (void)self;
  LmTokenUnions *tokens = litert_lm_engine_get_stop_tokens(POINTER(engine));
  size_t count = tokens ? litert_lm_token_unions_get_num_tokens(tokens) : 0;
  jclass ints = (*env)->FindClass(env, "[I");
  jobjectArray array = ints ? (*env)->NewObjectArray(env, (jsize)count, ints, NULL) : NULL;
  for (size_t i = 0; array && i < count; i++) {
    LmTokenUnion *token = litert_lm_token_unions_get_token_at(tokens, i);
    jintArray ids = token ? ids_of(env, POINTER(engine), token) : NULL;
    if (token) litert_lm_token_union_delete(token);
    if ((*env)->ExceptionCheck(env)) break;
    (*env)->SetObjectArrayElement(env, array, (jsize)i, ids);
    (*env)->DeleteLocalRef(env, ids);
  }
  if (tokens) litert_lm_token_unions_delete(tokens);
  return array;
}
