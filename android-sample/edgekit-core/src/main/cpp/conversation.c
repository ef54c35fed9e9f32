/* Conversations. The engine hands out an answer on a thread of its own, piece by piece. The pieces wait in a queue
 * here, and a thread of the JVM fetches them: no thread of the engine ever enters the JVM. */

#include "litert_lm.h"
#include "shim.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Piece {
  struct Piece *next;
  char text[];
} Piece;

typedef struct {
  LmConversation *native;
  pthread_mutex_t mutex; /* guards what follows */
  pthread_cond_t changed;
  Piece *first, *last; /* not fetched yet */
  bool ended;          /* no further piece will come */
  char *error;         /* why it ended, NULL for no failure */
  double began;        /* clocks in seconds */
  double *stamps;      /* when each piece came, and the end, in seconds since it began */
  size_t count, room;
} Conversation;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void stamp(Conversation *conversation, double time) {
  if (conversation->count == conversation->room) {
    conversation->room = conversation->room ? 2 * conversation->room : 64;
    conversation->stamps = realloc(conversation->stamps, conversation->room * sizeof *conversation->stamps);
    if (!conversation->stamps) abort();
  }
  conversation->stamps[conversation->count++] = time - conversation->began;
}

static void append(Conversation *conversation, const char *text) {
  size_t size = strlen(text) + 1;
  Piece *piece = allocate(sizeof *piece + size);
  memcpy(piece->text, text, size);
  piece->next = NULL;
  if (conversation->last)
    conversation->last->next = piece;
  else
    conversation->first = piece;
  conversation->last = piece;
}

static void fail(Conversation *conversation, const char *error) {
  size_t size = strlen(error) + 1;
  free(conversation->error);
  conversation->error = memcpy(allocate(size), error, size);
}

static Piece *take(Conversation *conversation) {
  Piece *piece = conversation->first;
  if (piece && !(conversation->first = piece->next)) conversation->last = NULL;
  return piece;
}

static void clear(Conversation *conversation) {
  for (Piece *piece; (piece = take(conversation));) free(piece);
  free(conversation->error);
  conversation->error = NULL;
  conversation->ended = false;
  conversation->count = 0;
}

/* Called by the engine. Once `ended` is seen the conversation may be gone, so nothing touches it after the unlock. */
static void on_chunk(void *data, LmChunk *chunk) {
  double time = now();
  Conversation *conversation = data;
  const char *text = litert_lm_stream_chunk_get_text(chunk);
  const char *error = litert_lm_stream_chunk_get_error(chunk);
  bool ends = error || litert_lm_stream_chunk_is_final(chunk);
  bool says = text && *text && !error;
  pthread_mutex_lock(&conversation->mutex);
  if (says) append(conversation, text);
  if (says || ends) stamp(conversation, time);
  if (error) fail(conversation, error);
  conversation->ended |= ends;
  pthread_cond_signal(&conversation->changed);
  pthread_mutex_unlock(&conversation->mutex);
}

/* messages: a JSON array of what was said before, null for nothing. sidecar: the file of an adapter, null for the model
 * alone. prompt_template: Jinja instead of the file's, null for that. top_k: 0 for the sampling that the file names. */
JNIEXPORT jlong NATIVE(openConversation)(JNIEnv *env, jobject self, jlong engine, jbyteArray messages, jboolean constrained,
                                         jbyteArray sidecar, jbyteArray prompt_template, jint top_k, jfloat top_p,
                                         jfloat temperature, jint seed) {
  (void)self;
  litert_lm_clear_last_error();
  LmConversationConfig *config = litert_lm_conversation_config_create();
  if (!config) return 0;
  bool adapted = true;
  if (top_k > 0 || sidecar) {
    LmSessionConfig *session = litert_lm_session_config_create();
    if (top_k > 0) {
      LmSampler *sampler = litert_lm_sampler_params_create(LM_SAMPLER_TOP_P);
      litert_lm_sampler_params_set_top_k(sampler, top_k);
      litert_lm_sampler_params_set_top_p(sampler, top_p);
      litert_lm_sampler_params_set_temperature(sampler, temperature);
      litert_lm_sampler_params_set_seed(sampler, seed);
      litert_lm_session_config_set_sampler_params(session, sampler);
      litert_lm_sampler_params_delete(sampler);
    }
    if (sidecar) {
      char *path = text_from(env, sidecar);
      adapted = litert_lm_session_config_set_lora_path(session, path) == 0;
      free(path);
    }
    litert_lm_conversation_config_set_session_config(config, session);
    litert_lm_session_config_delete(session);
  }
  if (constrained) {
    const int provider = LM_CONSTRAINTS_BY_LL_GUIDANCE;
    litert_lm_conversation_config_set_enable_constrained_decoding(config, true);
    litert_lm_conversation_config_set_constraint_provider(config, &provider);
  }
  char *before = text_from(env, messages);
  if (before) litert_lm_conversation_config_set_messages(config, before);
  char *jinja = text_from(env, prompt_template);
  if (jinja) litert_lm_conversation_config_set_prompt_template(config, jinja);
  /* Without its adapter the model would answer, but not what was asked for. */
  LmConversation *native = adapted ? litert_lm_conversation_create(POINTER(engine), config) : NULL;
  litert_lm_conversation_config_delete(config);
  free(jinja);
  free(before);
  if (!native) return 0;
  Conversation *conversation = allocate(sizeof *conversation);
  *conversation = (Conversation){.native = native};
  pthread_mutex_init(&conversation->mutex, NULL);
  pthread_cond_init(&conversation->changed, NULL);
  return HANDLE(conversation);
}

/* Not while an answer is under way: the library crashes. */
JNIEXPORT void NATIVE(closeConversation)(JNIEnv *env, jobject self, jlong handle) {
  (void)env, (void)self;
  Conversation *conversation = POINTER(handle);
  litert_lm_conversation_delete(conversation->native);
  clear(conversation);
  free(conversation->stamps);
  pthread_cond_destroy(&conversation->changed);
  pthread_mutex_destroy(&conversation->mutex);
  free(conversation);
}

JNIEXPORT jint NATIVE(tokenCount)(JNIEnv *env, jobject self, jlong handle) {
  (void)env, (void)self;
  Conversation *conversation = POINTER(handle);
  return litert_lm_conversation_get_token_count(conversation->native);
}

/* The text that sending a message, a JSON object, would feed. */
JNIEXPORT jbyteArray NATIVE(render)(JNIEnv *env, jobject self, jlong handle, jbyteArray message) {
  (void)self;
  litert_lm_clear_last_error();
  Conversation *conversation = POINTER(handle);
  char *json = text_from(env, message);
  jbyteArray text = bytes_from(env, litert_lm_conversation_render_message_to_string(conversation->native, json));
  free(json);
  return text;
}

/* Sends a message, a JSON object; then `receive` is called until it says that nothing more comes.
 * kind: of the constraint, as the engine numbers them, 0 for none. suppressed: ids, null for none. max_output: 0 for
 * no limit. */
JNIEXPORT jboolean NATIVE(send)(JNIEnv *env, jobject self, jlong handle, jbyteArray message, jint kind, jbyteArray constraint,
                                jintArray suppressed, jint max_output) {
  (void)self;
  litert_lm_clear_last_error();
  Conversation *conversation = POINTER(handle);
  LmSendOptions *options = litert_lm_conversation_optional_args_create();
  if (!options) return JNI_FALSE;
  char *json = text_from(env, message), *form = text_from(env, constraint);
  if (kind && form) litert_lm_conversation_optional_args_set_constraint(options, kind, form);
  if (max_output > 0) litert_lm_conversation_optional_args_set_max_output_tokens(options, max_output);
  if (suppressed) {
    jsize count = (*env)->GetArrayLength(env, suppressed);
    jint *ids = allocate((size_t)count * sizeof *ids + 1);
    (*env)->GetIntArrayRegion(env, suppressed, 0, count, ids);
    LmSuppressed *config = litert_lm_suppress_tokens_config_create();
    litert_lm_suppress_tokens_config_set_suppress_tokens(config, (const int *)ids, (size_t)count);
    litert_lm_conversation_optional_args_set_suppress_tokens_config(options, config);
    litert_lm_suppress_tokens_config_delete(config);
    free(ids);
  }
  clear(conversation);
  conversation->began = now();
  int status = litert_lm_conversation_send_message_stream(conversation->native, json, NULL, options, on_chunk, conversation);
  litert_lm_conversation_optional_args_delete(options);
  free(form);
  free(json);
  return status == 0;
}

/* Waits for the next piece of the answer, a JSON message; null at the end, and then `streamError` tells of a failure. */
JNIEXPORT jbyteArray NATIVE(receive)(JNIEnv *env, jobject self, jlong handle) {
  (void)self;
  Conversation *conversation = POINTER(handle);
  pthread_mutex_lock(&conversation->mutex);
  while (!conversation->first && !conversation->ended) pthread_cond_wait(&conversation->changed, &conversation->mutex);
  Piece *piece = take(conversation);
  pthread_mutex_unlock(&conversation->mutex);
  jbyteArray text = bytes_from(env, piece ? piece->text : NULL);
  free(piece);
  return text;
}

JNIEXPORT jbyteArray NATIVE(streamError)(JNIEnv *env, jobject self, jlong handle) {
  (void)self;
  Conversation *conversation = POINTER(handle);
  return bytes_from(env, conversation->error);
}

/* When the pieces of the last answer came, and last its end: seconds since it was asked for. */
JNIEXPORT jdoubleArray NATIVE(stamps)(JNIEnv *env, jobject self, jlong handle) {
  (void)self;
  Conversation *conversation = POINTER(handle);
  jsize count = (jsize)conversation->count;
  jdoubleArray array = (*env)->NewDoubleArray(env, count);
  if (array) (*env)->SetDoubleArrayRegion(env, array, 0, count, conversation->stamps);
  return array;
}

/* Asks the engine to stop; it has when `receive` says that nothing more comes. From any thread. */
JNIEXPORT void NATIVE(cancel)(JNIEnv *env, jobject self, jlong handle) {
  (void)env, (void)self;
  Conversation *conversation = POINTER(handle);
  litert_lm_conversation_cancel_process(conversation->native);
}

/* The last turn: tokens fed and generated, tokens per second fed and generated, seconds to the conversation's first
 * token, as the engine measured them; null before the first. */
JNIEXPORT jdoubleArray NATIVE(figures)(JNIEnv *env, jobject self, jlong handle) {
  (void)self;
  Conversation *conversation = POINTER(handle);
  LmFigures *info = litert_lm_conversation_get_benchmark_info(conversation->native);
  if (!info) return NULL;
  int fed = litert_lm_benchmark_info_get_num_prefill_turns(info) - 1;
  int made = litert_lm_benchmark_info_get_num_decode_turns(info) - 1;
  jdoubleArray array = NULL;
  if (fed >= 0 && made >= 0) {
    const jdouble values[] = {
        litert_lm_benchmark_info_get_prefill_token_count_at(info, fed),
        litert_lm_benchmark_info_get_decode_token_count_at(info, made),
        litert_lm_benchmark_info_get_prefill_tokens_per_sec_at(info, fed),
        litert_lm_benchmark_info_get_decode_tokens_per_sec_at(info, made),
        litert_lm_benchmark_info_get_time_to_first_token(info),
    };
    const jsize count = sizeof values / sizeof *values;
    array = (*env)->NewDoubleArray(env, count);
    if (array) (*env)->SetDoubleArrayRegion(env, array, 0, count, values);
  }
  litert_lm_benchmark_info_delete(info);
  return array;
}
