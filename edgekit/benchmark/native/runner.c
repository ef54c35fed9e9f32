/* The benchmark runner: one model, one case, measured through the LiteRT-LM C API.
 *
 *     runner TASK.json        or        runner '{"model": "m.litertlm", "prefill": 256, ...}'
 *
 * The task is a flat JSON object (edgekit/benchmark/plan.py, RunnerTask). The answer is JSON lines on descriptor 1,
 * one event each, written at once:
 *
 *     {"event":"start","pid":N}
 *     {"event":"init","seconds":S,"rss_peak":B,"private":B}
 *     {"event":"run","index":I,"warmup":false,"prefill_tokens":N,"decode_tokens":N,"ttft":S,"total":S,
 *      "prefill_tps":X,"decode_tps":X,"engine_ttft":S,"rss_peak":B,"private":B,"stamps_us":[T,...]}
 *     {"event":"switch","index":I,"session":S,"first":S,"again":S}
 *     {"event":"check","message":{"role":"assistant","content":[{"type":"text","text":"..."}]}}
 *     {"event":"error","stage":"task|init|depth|run|switch|check","message":"..."}     and exit status 1
 *     {"event":"done"}                                                          and exit status 0
 *
 * Times are seconds of CLOCK_MONOTONIC, stamps microseconds since the call, sizes bytes.
 *
 * The same source serves every target. On Linux it is an executable whose start code stands at the end of this file.
 * On Android it is a shared library: a small Java class, started by app_process, loads it and calls the native method
 * Main.run(String task) of the default package, which returns the exit status. Both end in
 *
 *     int edgekit_bench_main(int argc, char **argv)
 *
 * What is needed of libc is declared here, the same on glibc and bionic (64 bits), so that no header, no start file
 * and no sysroot of the target takes part in the build: the bytes depend on clang and lld alone.
 */

typedef unsigned long size_t;
typedef _Bool bool;
#define NULL ((void *)0)

/* ------------------------------------------------------------------------------------------------ libc */

struct timespec {
  long tv_sec;
  long tv_nsec;
};

extern int dprintf(int, const char *, ...);
extern int snprintf(char *, size_t, const char *, ...);
extern int open(const char *, int, ...);
extern long read(int, void *, size_t);
extern long write(int, const void *, size_t);
extern int close(int);
extern int pipe(int *);
extern int getpid(void);
extern unsigned alarm(unsigned);
extern int sched_setaffinity(int, size_t, const void *);
extern int clock_gettime(int, struct timespec *);
extern void *malloc(size_t);
extern void *realloc(void *, size_t);
extern void free(void *);
extern void *memcpy(void *, const void *, size_t);
extern void *memset(void *, int, size_t);
extern size_t strlen(const char *);
extern int strcmp(const char *, const char *);
extern int strncmp(const char *, const char *, size_t);
extern char *strstr(const char *, const char *);
extern long strtol(const char *, char **, int);
extern double strtod(const char *, char **);
extern _Noreturn void _exit(int);

#if !defined(__ANDROID__)
extern int mallopt(int, int);
#endif

enum { kMonotonic = 1, kMmapThreshold = -3 }; /* CLOCK_MONOTONIC, M_MMAP_THRESHOLD */

/* ------------------------------------------------------------------- LiteRT-LM 0.18 (litert_lm/_ffi.py) */

extern void litert_lm_set_min_log_level(int);
extern const char *litert_lm_get_last_error_message(void);
extern void *litert_lm_input_data_create(int type, const void *data, size_t size);
extern void litert_lm_input_data_delete(void *);
extern void *litert_lm_engine_settings_create(const char *model, const char *backend, const char *, const char *);
extern void litert_lm_engine_settings_delete(void *);
extern void litert_lm_engine_settings_set_max_num_tokens(void *, int);
extern void litert_lm_engine_settings_set_num_threads(void *, int);
extern void litert_lm_engine_settings_set_cache_dir(void *, const char *);
extern void litert_lm_engine_settings_set_prefill_chunk_size(void *, int);
extern void litert_lm_engine_settings_set_gpu_wait_for_weight_uploads(void *, bool);
extern void litert_lm_engine_settings_enable_benchmark(void *);
extern void litert_lm_engine_settings_set_num_decode_tokens(void *, int);
extern void *litert_lm_engine_create(void *settings);
extern void litert_lm_engine_delete(void *);
extern void *litert_lm_engine_get_start_token(void *engine);
extern void litert_lm_token_union_delete(void *);
extern void *litert_lm_engine_tokenize(void *engine, const char *);
extern size_t litert_lm_tokenize_result_get_num_tokens(void *);
extern void litert_lm_tokenize_result_delete(void *);
extern void *litert_lm_engine_create_session(void *engine, void *config);
extern void litert_lm_session_delete(void *);
extern int litert_lm_session_run_prefill(void *session, void **inputs, size_t count);
extern int litert_lm_session_generate_content_stream(void *session, void **inputs, size_t count,
                                                     void (*callback)(void *data, void *chunk), void *data);
extern void *litert_lm_session_get_benchmark_info(void *session);
extern void litert_lm_benchmark_info_delete(void *);
extern double litert_lm_benchmark_info_get_time_to_first_token(void *);
extern int litert_lm_benchmark_info_get_num_prefill_turns(void *);
extern int litert_lm_benchmark_info_get_num_decode_turns(void *);
extern int litert_lm_benchmark_info_get_prefill_token_count_at(void *, int);
extern int litert_lm_benchmark_info_get_decode_token_count_at(void *, int);
extern double litert_lm_benchmark_info_get_prefill_tokens_per_sec_at(void *, int);
extern double litert_lm_benchmark_info_get_decode_tokens_per_sec_at(void *, int);
extern const char *litert_lm_stream_chunk_get_text(void *);
extern bool litert_lm_stream_chunk_is_final(void *);
extern const char *litert_lm_stream_chunk_get_error(void *);
extern void *litert_lm_session_config_create(void);
extern void litert_lm_session_config_delete(void *);
extern void litert_lm_session_config_set_max_output_tokens(void *, int);
extern void litert_lm_session_config_set_sampler_params(void *, void *);
extern int litert_lm_session_config_set_lora_path(void *, const char *path);
extern void *litert_lm_sampler_params_create(int type);
extern void litert_lm_sampler_params_delete(void *);
extern void litert_lm_sampler_params_set_top_k(void *, int);
extern void *litert_lm_conversation_config_create(void);
extern void litert_lm_conversation_config_delete(void *);
extern void litert_lm_conversation_config_set_session_config(void *, void *);
extern void *litert_lm_conversation_create(void *engine, void *config);
extern void litert_lm_conversation_delete(void *);
extern void *litert_lm_conversation_send_message(void *, const char *message, const char *extra, void *optional);
extern const char *litert_lm_json_response_get_string(void *);
extern void litert_lm_json_response_delete(void *);

/* As in chat and the app: tokens that are read at once, and the size above which glibc gives a cache back. */
enum { kPrefillChunk = 128, kGivenBack = 4 << 20 };

enum { kText = 0, kTopP = 2, kEverything = 2, kErrorsOnly = 4 };

/* ------------------------------------------------------------------------------------------------ text */

/* A text that grows. Running out of memory ends the process: there is nothing left to measure. */
typedef struct {
  char *text;
  size_t size, room;
} Text;

static void append(Text *to, const char *bytes, size_t count) {
  if (to->size + count + 1 > to->room) {
    to->room = 2 * (to->size + count + 1);
    to->text = realloc(to->text, to->room);
    if (!to->text) _exit(71);
  }
  memcpy(to->text + to->size, bytes, count);
  to->size += count;
  to->text[to->size] = 0;
}

static void append_string(Text *to, const char *string) { append(to, string, strlen(string)); }

/* Appends a string as JSON writes it, quotes included. */
static void append_json(Text *to, const char *string) {
  append(to, "\"", 1);
  for (const char *c = string; *c; c++) {
    char escape[8];
    if (*c == '"' || *c == '\\') {
      snprintf(escape, sizeof escape, "\\%c", *c);
    } else if ((unsigned char)*c < 0x20) {
      snprintf(escape, sizeof escape, "\\u%04x", *c);
    } else {
      append(to, c, 1);
      continue;
    }
    append_string(to, escape);
  }
  append(to, "\"", 1);
}

static void append_utf8(Text *to, unsigned code) {
  char bytes[4];
  int tail = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
  for (int i = tail; i > 0; i--, code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3f));
  bytes[0] = (char)(lead[tail] | code);
  append(to, bytes, (size_t)tail + 1);
}

/* Writes a line to standard output in one call, so that a reader never sees half of it; frees it. */
static void emit(Text *line) {
  append(line, "\n", 1);
  for (size_t done = 0; done < line->size;) {
    long wrote = write(1, line->text + done, line->size - done);
    if (wrote <= 0) _exit(74); /* nobody listens any more */
    done += (size_t)wrote;
  }
  free(line->text);
}

static int fail(const char *stage, const char *message) {
  Text line = {0};
  append_string(&line, "{\"event\":\"error\",\"stage\":\"");
  append_string(&line, stage);
  append_string(&line, "\",\"message\":");
  append_json(&line, message && *message ? message : "the engine gives no reason");
  append(&line, "}", 1);
  emit(&line);
  return 1;
}

static int fail_engine(const char *stage) { return fail(stage, litert_lm_get_last_error_message()); }

/* ------------------------------------------------------------------------------------------------ task */

typedef struct {
  const char *model, *backend, *cache_dir, *check_prompt, *cpus;
  const char *sidecar; /* of every session; "" for none */
  const char *others;  /* sidecars to switch to, one a line */
  long threads, kv_length, prefill, decode, depth, warmup, runs, switches, check_tokens, timeout_s;
} Task;

static const char *skip_space(const char *at) {
  while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
  return at;
}

static long hex4(const char *at) {
  char digits[5] = {0};
  for (int i = 0; i < 4 && at[i]; i++) digits[i] = at[i];
  char *end;
  long code = strtol(digits, &end, 16);
  return end == digits + 4 ? code : -1;
}

/* Reads a JSON string; returns what follows it, NULL when it is none. Its text lives as long as the process. */
static const char *read_string(const char *at, const char **text) {
  Text found = {0};
  if (*at++ != '"') return NULL;
  append(&found, "", 0);
  for (; *at != '"'; at++) {
    if (!*at) return NULL;
    if (*at != '\\') {
      append(&found, at, 1);
      continue;
    }
    static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
    const char *name = names;
    at++;
    while (*name && *name != *at) name++;
    if (*at == 'u') {
      long code = hex4(at + 1);
      if (code < 1) return NULL;
      at += 4;
      if (code >= 0xd800 && code < 0xdc00 && at[1] == '\\' && at[2] == 'u') {
        long low = hex4(at + 3);
        if (low < 0xdc00 || low > 0xdfff) return NULL;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      }
      append_utf8(&found, (unsigned)code);
    } else if (*name) {
      append(&found, values + (name - names), 1);
    } else if (*at == '"' || *at == '\\' || *at == '/') {
      append(&found, at, 1);
    } else {
      return NULL;
    }
  }
  *text = found.text;
  return at + 1;
}

/* Reads one "key": value into the task; returns what follows, NULL when it is malformed or unknown. */
static const char *read_member(const char *at, Task *task) {
  struct {
    const char *key;
    const char **text;
    long *number;
  } fields[] = {
      {"model", &task->model, NULL},
      {"backend", &task->backend, NULL},
      {"cache_dir", &task->cache_dir, NULL},
      {"check_prompt", &task->check_prompt, NULL},
      {"cpus", &task->cpus, NULL},
      {"sidecar", &task->sidecar, NULL},
      {"others", &task->others, NULL},
      {"threads", NULL, &task->threads},
      {"kv_length", NULL, &task->kv_length},
      {"prefill", NULL, &task->prefill},
      {"decode", NULL, &task->decode},
      {"depth", NULL, &task->depth},
      {"warmup", NULL, &task->warmup},
      {"runs", NULL, &task->runs},
      {"switches", NULL, &task->switches},
      {"check_tokens", NULL, &task->check_tokens},
      {"timeout_s", NULL, &task->timeout_s},
  };
  const char *key;
  if (!(at = read_string(at, &key)) || *(at = skip_space(at)) != ':') return NULL;
  at = skip_space(at + 1);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (strcmp(fields[i].key, key) != 0) continue;
    if (fields[i].text) return read_string(at, fields[i].text);
    char *end;
    *fields[i].number = strtol(at, &end, 10);
    return end == at || *fields[i].number < 0 ? NULL : end;
  }
  return NULL;
}

static bool read_task(const char *at, Task *task) {
  at = skip_space(at);
  if (*at++ != '{') return 0;
  do {
    if (!(at = read_member(skip_space(at), task))) return 0;
    at = skip_space(at);
  } while (*at++ == ',');
  return at[-1] == '}' && task->model != NULL;
}

static bool read_file(const char *path, Text *into) {
  char block[4096];
  long count;
  int file = open(path, 0);
  if (file < 0) return 0;
  while ((count = read(file, block, sizeof block)) > 0) append(into, block, (size_t)count);
  close(file);
  return count == 0 && into->size > 0;
}

/* Pins this process, and the threads that it will start, to cores: "0,2,3". */
static bool pin(const char *cpus) {
  unsigned char mask[128];
  memset(mask, 0, sizeof mask);
  for (char *end; *cpus; cpus = *end == ',' ? end + 1 : end) {
    long cpu = strtol(cpus, &end, 10);
    if (end == cpus || cpu < 0 || cpu >= 8 * (long)sizeof mask || (*end && *end != ',')) return 0;
    mask[cpu / 8] |= (unsigned char)(1u << (cpu % 8)); /* little-endian, as every target is */
  }
  return sched_setaffinity(0, sizeof mask, mask) == 0;
}

/* ------------------------------------------------------------------------------------------- measuring */

static double now(void) {
  struct timespec time;
  clock_gettime(kMonotonic, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Sums up the lines `name: N kB` of a file in /proc; 0 when there are none. */
static long proc_bytes(const char *path, const char *const *names) {
  Text file = {0};
  long total = 0;
  if (read_file(path, &file)) {
    for (; *names; names++) {
      const char *found = strstr(file.text, *names);
      if (found) total += strtol(found + strlen(*names), NULL, 10);
    }
  }
  free(file.text);
  return 1024 * total;
}

static void append_memory(Text *line) {
  static const char *const peak[] = {"VmHWM:", NULL};
  static const char *const private[] = {"Private_Clean:", "Private_Dirty:", NULL};
  char text[80];
  snprintf(text, sizeof text, ",\"rss_peak\":%ld,\"private\":%ld", proc_bytes("/proc/self/status", peak),
           proc_bytes("/proc/self/smaps_rollup", private));
  append_string(line, text);
}

/* What the callbacks of one generation leave behind. They run on a thread of the engine, which hands out a token's
 * text when it has computed the next token: the first callback comes after two steps, the last two at once. */
typedef struct {
  double began;
  double *stamps;
  size_t count, room;
  double ended;
  char error[512];
  int ends; /* the end of a pipe that is written to when all is over */
} Stream;

static void on_chunk(void *data, void *chunk) {
  Stream *stream = data;
  double time = now();
  const char *error = litert_lm_stream_chunk_get_error(chunk);
  const char *text = litert_lm_stream_chunk_get_text(chunk);
  if (error) snprintf(stream->error, sizeof stream->error, "%s", error);
  if (text && *text && stream->count < stream->room) stream->stamps[stream->count++] = time;
  if (error || litert_lm_stream_chunk_is_final(chunk)) {
    int end = stream->ends; /* the stream may be gone once the other side reads */
    stream->ended = time;
    if (write(end, "", 1) != 1) _exit(74);
  }
}

/* Feeds a text to the session and generates; false, with a reason in the stream, when the engine says no. */
static bool generate(void *session, const char *prompt, Stream *stream) {
  int ends[2];
  char byte;
  void *input = litert_lm_input_data_create(kText, prompt, strlen(prompt));
  if (!input || pipe(ends) != 0) return 0;
  stream->ends = ends[1];
  stream->began = now();
  int status = litert_lm_session_generate_content_stream(session, &input, 1, on_chunk, stream);
  bool ended = status == 0 && read(ends[0], &byte, 1) == 1;
  close(ends[0]);
  close(ends[1]);
  litert_lm_input_data_delete(input);
  return ended && !stream->error[0];
}

static bool prefill(void *session, const char *text) {
  void *input = litert_lm_input_data_create(kText, text, strlen(text));
  bool done = input && litert_lm_session_run_prefill(session, &input, 1) == 0;
  if (input) litert_lm_input_data_delete(input);
  return done;
}

static long count_tokens(void *engine, const char *text) {
  void *result = litert_lm_engine_tokenize(engine, text);
  long count = result ? (long)litert_lm_tokenize_result_get_num_tokens(result) : -1;
  if (result) litert_lm_tokenize_result_delete(result);
  return count;
}

static bool has_start_token(void *engine) {
  void *token = litert_lm_engine_get_start_token(engine);
  if (token) litert_lm_token_union_delete(token);
  return token != NULL;
}

/* Makes a text of a number of tokens by repeating a word; NULL when no word of these yields one token each. */
static char *text_of(void *engine, long tokens) {
  static const char *const words[] = {" the", " a", "1", "a", "."};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    Text text = {0};
    append(&text, "", 0);
    for (long n = 0; n < tokens; n++) append_string(&text, words[i]);
    long extra = count_tokens(engine, text.text) - tokens;
    if (extra > 0 && extra < tokens) text.text[text.size -= (size_t)extra * strlen(words[i])] = 0;
    if (count_tokens(engine, text.text) == tokens) return text.text;
    free(text.text);
  }
  return NULL;
}

static void emit_run(int index, bool warmup, const Stream *stream, void *info) {
  Text line = {0};
  char text[384];
  int fed = litert_lm_benchmark_info_get_num_prefill_turns(info) - 1;
  int made = litert_lm_benchmark_info_get_num_decode_turns(info) - 1;
  double first = stream->count ? stream->stamps[0] : stream->ended;
  snprintf(text, sizeof text,
           "{\"event\":\"run\",\"index\":%d,\"warmup\":%s,\"prefill_tokens\":%d,\"decode_tokens\":%d,\"ttft\":%.9f,"
           "\"total\":%.9f,\"prefill_tps\":%.6f,\"decode_tps\":%.6f,\"engine_ttft\":%.9f",
           index, warmup ? "true" : "false", litert_lm_benchmark_info_get_prefill_token_count_at(info, fed),
           litert_lm_benchmark_info_get_decode_token_count_at(info, made), first - stream->began,
           stream->ended - stream->began, litert_lm_benchmark_info_get_prefill_tokens_per_sec_at(info, fed),
           litert_lm_benchmark_info_get_decode_tokens_per_sec_at(info, made),
           litert_lm_benchmark_info_get_time_to_first_token(info));
  append_string(&line, text);
  append_memory(&line);
  append_string(&line, ",\"stamps_us\":[");
  for (size_t i = 0; i < stream->count; i++) {
    snprintf(text, sizeof text, "%s%.1f", i ? "," : "", 1e6 * (stream->stamps[i] - stream->began));
    append_string(&line, text);
  }
  append_string(&line, "]}");
  emit(&line);
}

/* Starts a session; NULL when the engine says no. The engine reads the sidecar when the session is first fed. */
static void *start_session(void *engine, const char *sidecar) {
  void *config = *sidecar ? litert_lm_session_config_create() : NULL;
  if (*sidecar && (!config || litert_lm_session_config_set_lora_path(config, sidecar) != 0)) return NULL;
  void *session = litert_lm_engine_create_session(engine, config);
  if (config) litert_lm_session_config_delete(config);
  return session;
}

/* One run in a fresh session: fill the cache up to the depth, then feed the prompt and generate. */
static int measure_once(void *engine, const Task *task, const char *before, const char *prompt, int index) {
  void *session = start_session(engine, task->sidecar);
  if (!session) return fail_engine("run");
  if (before && !prefill(session, before)) return fail_engine("depth");
  Stream stream = {.room = (size_t)task->decode + 1};
  stream.stamps = malloc(stream.room * sizeof *stream.stamps);
  if (!stream.stamps) _exit(71);
  if (!generate(session, prompt, &stream)) return stream.error[0] ? fail("run", stream.error) : fail_engine("run");
  void *info = litert_lm_session_get_benchmark_info(session);
  if (!info || !litert_lm_benchmark_info_get_num_decode_turns(info)) return fail("run", "the engine kept no figures");
  emit_run(index, index < task->warmup, &stream, info);
  litert_lm_benchmark_info_delete(info);
  litert_lm_session_delete(session);
  free(stream.stamps);
  return 0;
}

static int measure(void *engine, const Task *task) {
  long start = has_start_token(engine); /* the engine puts it before the first text of a session */
  char *before = NULL, *prompt = NULL;
  if (task->depth && !(before = text_of(engine, task->depth - start))) return fail("run", "no text of this depth");
  if (!(prompt = text_of(engine, task->prefill - (before ? 0 : start)))) return fail("run", "no text of this length");
  for (int i = 0; i < task->warmup + task->runs; i++) {
    int status = measure_once(engine, task, before, prompt, i);
    if (status) return status;
  }
  free(before);
  free(prompt);
  return 0;
}

enum { kMostSidecars = 64 };

/* Puts the sidecars of a task into a list; returns their number. */
static size_t list_sidecars(const Task *task, const char *sidecars[kMostSidecars]) {
  size_t count = 0;
  sidecars[count++] = task->sidecar;
  for (char *at = (char *)task->others; *at && count < kMostSidecars;) {
    sidecars[count++] = at;
    while (*at && *at != '\n') at++;
    if (*at) *at++ = 0;
  }
  return count;
}

/* Switches from sidecar to sidecar: one session goes, the next starts and is fed a word, which makes the engine read
 * the sidecar, and a word more, which tells what feeding takes by itself. The first round warms up. */
static int switch_sidecars(void *engine, const Task *task) {
  const char *sidecars[kMostSidecars];
  long count = (long)list_sidecars(task, sidecars);
  void *session = start_session(engine, sidecars[0]);
  if (!session || !prefill(session, "a")) return fail_engine("switch");
  for (long i = 1; i <= count + task->switches; i++) {
    double began = now();
    litert_lm_session_delete(session);
    if (!(session = start_session(engine, sidecars[i % count]))) return fail_engine("switch");
    double started = now();
    if (!prefill(session, "a")) return fail_engine("switch");
    double fed = now();
    if (!prefill(session, "a")) return fail_engine("switch");
    if (i <= count) continue;
    Text line = {0};
    char text[160];
    snprintf(text, sizeof text, "{\"event\":\"switch\",\"index\":%ld,\"session\":%.9f,\"first\":%.9f,\"again\":%.9f}",
             i - count - 1, started - began, fed - started, now() - fed);
    append_string(&line, text);
    emit(&line);
  }
  litert_lm_session_delete(session);
  return 0;
}

/* Asks one question of a conversation and reports the greedy answer, as the engine's JSON holds it. */
static int check(void *engine, const Task *task) {
  void *sampler = litert_lm_sampler_params_create(kTopP);
  void *session = litert_lm_session_config_create();
  void *config = litert_lm_conversation_config_create();
  if (!sampler || !session || !config) return fail_engine("check");
  if (*task->sidecar && litert_lm_session_config_set_lora_path(session, task->sidecar) != 0)
    return fail_engine("check");
  litert_lm_sampler_params_set_top_k(sampler, 1);
  litert_lm_session_config_set_sampler_params(session, sampler);
  litert_lm_session_config_set_max_output_tokens(session, (int)task->check_tokens);
  litert_lm_conversation_config_set_session_config(config, session);
  void *conversation = litert_lm_conversation_create(engine, config);
  litert_lm_conversation_config_delete(config);
  litert_lm_session_config_delete(session);
  litert_lm_sampler_params_delete(sampler);
  if (!conversation) return fail_engine("check");
  Text message = {0};
  append_string(&message, "{\"role\":\"user\",\"content\":");
  append_json(&message, task->check_prompt);
  append(&message, "}", 1);
  void *response = litert_lm_conversation_send_message(conversation, message.text, NULL, NULL);
  if (!response) return fail_engine("check");
  Text line = {0};
  append_string(&line, "{\"event\":\"check\",\"message\":");
  append_string(&line, litert_lm_json_response_get_string(response));
  append(&line, "}", 1);
  emit(&line);
  litert_lm_json_response_delete(response);
  litert_lm_conversation_delete(conversation);
  free(message.text);
  return 0;
}

static void *open_engine(const Task *task) {
  void *settings = litert_lm_engine_settings_create(task->model, task->backend, NULL, NULL);
  if (!settings) return NULL;
  if (task->threads && strcmp(task->backend, "cpu") == 0)
    litert_lm_engine_settings_set_num_threads(settings, (int)task->threads);
  if (task->kv_length) litert_lm_engine_settings_set_max_num_tokens(settings, (int)task->kv_length);
  litert_lm_engine_settings_set_cache_dir(settings, task->cache_dir);
  litert_lm_engine_settings_set_prefill_chunk_size(settings, kPrefillChunk);
  if (task->decode) {
    litert_lm_engine_settings_enable_benchmark(settings);
    litert_lm_engine_settings_set_num_decode_tokens(settings, (int)task->decode);
  }
  if (strcmp(task->backend, "gpu") == 0) litert_lm_engine_settings_set_gpu_wait_for_weight_uploads(settings, 1);
  void *engine = litert_lm_engine_create(settings);
  litert_lm_engine_settings_delete(settings);
  return engine;
}

static int run(const Task *task) {
  Text line = {0};
  char text[64];
  double began = now();
  void *engine = open_engine(task);
  if (!engine) return fail_engine("init");
  snprintf(text, sizeof text, "{\"event\":\"init\",\"seconds\":%.9f", now() - began);
  append_string(&line, text);
  append_memory(&line);
  append(&line, "}", 1);
  emit(&line);
  int status = 0;
  if (task->warmup + task->runs) status = measure(engine, task);
  if (!status && task->switches) status = switch_sidecars(engine, task);
  if (!status && *task->check_prompt) status = check(engine, task);
  if (status) return status; /* what is open stays open: the process ends, and the engine may not bear more */
  litert_lm_engine_delete(engine);
  Text done = {0};
  append_string(&done, "{\"event\":\"done\"}");
  emit(&done);
  return 0;
}

int edgekit_bench_main(int argc, char **argv) {
  Task task = {.backend = "cpu", .cache_dir = ":nocache", .check_prompt = "", .cpus = "", .check_tokens = 32};
  task.sidecar = task.others = "";
  Text file = {0};
  const char *json = argc == 2 ? argv[1] : "";
  dprintf(1, "{\"event\":\"start\",\"pid\":%d}\n", getpid());
  if (*json && *json != '{') json = read_file(json, &file) ? file.text : "";
  if (!read_task(json, &task)) return fail("task", "usage: runner TASK.json; a flat JSON object of known keys");
  if (task.warmup + task.runs && (task.decode < 3 || task.prefill < 2 || task.depth == 1))
    return fail("task", "a run needs prefill >= 2, decode >= 3, and a depth of 0 or >= 2");
  if (task.switches && !(*task.sidecar && *task.others)) return fail("task", "switching needs sidecar and others");
  if (*task.cpus && !pin(task.cpus)) return fail("task", "cannot pin to these cores");
  alarm((unsigned)task.timeout_s);
#if !defined(__ANDROID__)
  mallopt(kMmapThreshold, kGivenBack);
#endif
  /* Which device the GPU backend chose stands in the log alone. */
  litert_lm_set_min_log_level(strcmp(task.backend, "gpu") == 0 ? kEverything : kErrorsOnly);
  return run(&task);
}

/* ---------------------------------------------------------------------------------- how it is started */

#if defined(__ANDROID__)

/* The head of JNI's function table: enough to read a Java string (functions 169 and 170 of JNI 1.6). */
typedef const void *const **JniEnv;
enum { kGetStringUtfChars = 169, kReleaseStringUtfChars = 170 };

__attribute__((visibility("default"))) int JNI_OnLoad(void *vm, void *reserved) {
  (void)vm;
  (void)reserved;
  return 0x00010006; /* JNI_VERSION_1_6 */
}

__attribute__((visibility("default"))) int Java_Main_run(JniEnv env, void *class, void *task) {
  const char *(*get)(JniEnv, void *, void *) = (const char *(*)(JniEnv, void *, void *))(*env)[kGetStringUtfChars];
  void (*release)(JniEnv, void *, const char *) =
      (void (*)(JniEnv, void *, const char *))(*env)[kReleaseStringUtfChars];
  (void)class;
  const char *text = get(env, task, NULL);
  char *arguments[] = {"runner", (char *)text, NULL};
  int status = edgekit_bench_main(2, arguments);
  release(env, task, text);
  return status;
}

#else

/* The entry point of an executable without start files: glibc is initialised by the loader, which also runs the
 * constructors of the engine's library; what is left is to fetch the arguments. */
__attribute__((noreturn, used)) static void start(long *stack) {
  _exit(edgekit_bench_main((int)stack[0], (char **)(stack + 1)));
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tb start\n");
#endif

#endif
