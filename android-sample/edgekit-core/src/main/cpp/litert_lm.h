/* What the shim uses of the C interface of LiteRT-LM 0.18.1. The official wheels bring no header; its declarations are
 * those that litert_lm/_ffi.py in the same wheel binds. Text is UTF-8 and ends in NUL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct LmSettings LmSettings;
typedef struct LmEngine LmEngine;
typedef struct LmTokens LmTokens;
typedef struct LmTokenUnion LmTokenUnion;
typedef struct LmTokenUnions LmTokenUnions;
typedef struct LmSampler LmSampler;
typedef struct LmSessionConfig LmSessionConfig;
typedef struct LmConversationConfig LmConversationConfig;
typedef struct LmConversation LmConversation;
typedef struct LmSuppressed LmSuppressed;
typedef struct LmSendOptions LmSendOptions;
typedef struct LmChunk LmChunk;
typedef struct LmFigures LmFigures;
typedef struct LmFile LmFile;

enum { LM_LOG_ERRORS = 4 };
enum { LM_SAMPLER_TOP_P = 2 };
enum { LM_CONSTRAINTS_BY_LL_GUIDANCE = 1 };
enum { LM_TOKEN_UNION_IDS = 1 };

void litert_lm_set_min_log_level(int level);
int litert_lm_get_last_error_code(void);
const char *litert_lm_get_last_error_message(void);
void litert_lm_clear_last_error(void);

LmFile *litert_lm_loaded_file_create(const char *path);
void litert_lm_loaded_file_delete(LmFile *);
unsigned litert_lm_loaded_file_max_context_tokens(LmFile *);
const char *litert_lm_loaded_file_min_runtime_version(LmFile *);

LmSettings *litert_lm_engine_settings_create(const char *model, const char *backend, const char *vision, const char *audio);
void litert_lm_engine_settings_delete(LmSettings *);
void litert_lm_engine_settings_set_max_num_tokens(LmSettings *, int);
void litert_lm_engine_settings_set_num_threads(LmSettings *, int);
void litert_lm_engine_settings_set_cache_dir(LmSettings *, const char *);
void litert_lm_engine_settings_set_prefill_chunk_size(LmSettings *, int);
void litert_lm_engine_settings_set_gpu_wait_for_weight_uploads(LmSettings *, bool);
void litert_lm_engine_settings_set_lora_rank(LmSettings *, int);
int litert_lm_engine_settings_set_supported_lora_ranks(LmSettings *, const int *ranks, size_t count); /* 0: done */
void litert_lm_engine_settings_enable_benchmark(LmSettings *);

LmEngine *litert_lm_engine_create(LmSettings *);
void litert_lm_engine_delete(LmEngine *);

LmTokens *litert_lm_engine_tokenize(LmEngine *, const char *text);
const int *litert_lm_tokenize_result_get_tokens(LmTokens *);
size_t litert_lm_tokenize_result_get_num_tokens(LmTokens *);
void litert_lm_tokenize_result_delete(LmTokens *);

LmTokenUnion *litert_lm_engine_get_start_token(LmEngine *);
LmTokenUnions *litert_lm_engine_get_stop_tokens(LmEngine *);
size_t litert_lm_token_unions_get_num_tokens(LmTokenUnions *);
LmTokenUnion *litert_lm_token_unions_get_token_at(LmTokenUnions *, size_t); /* the caller's */
void litert_lm_token_unions_delete(LmTokenUnions *);
int litert_lm_token_union_get_type(LmTokenUnion *);
int litert_lm_token_union_get_ids(LmTokenUnion *, const int **ids, size_t *count);
const char *litert_lm_token_union_get_string(LmTokenUnion *);
void litert_lm_token_union_delete(LmTokenUnion *);

LmSampler *litert_lm_sampler_params_create(int type);
void litert_lm_sampler_params_delete(LmSampler *);
void litert_lm_sampler_params_set_top_k(LmSampler *, int);
void litert_lm_sampler_params_set_top_p(LmSampler *, float);
void litert_lm_sampler_params_set_temperature(LmSampler *, float);
void litert_lm_sampler_params_set_seed(LmSampler *, int);

LmSessionConfig *litert_lm_session_config_create(void);
void litert_lm_session_config_delete(LmSessionConfig *);
void litert_lm_session_config_set_sampler_params(LmSessionConfig *, LmSampler *);
int litert_lm_session_config_set_lora_path(LmSessionConfig *, const char *sidecar); /* 0: done */

LmConversationConfig *litert_lm_conversation_config_create(void);
void litert_lm_conversation_config_delete(LmConversationConfig *);
void litert_lm_conversation_config_set_session_config(LmConversationConfig *, LmSessionConfig *);
void litert_lm_conversation_config_set_messages(LmConversationConfig *, const char *json);
void litert_lm_conversation_config_set_prompt_template(LmConversationConfig *, const char *jinja);
void litert_lm_conversation_config_set_enable_constrained_decoding(LmConversationConfig *, bool);
void litert_lm_conversation_config_set_constraint_provider(LmConversationConfig *, const int *provider);

LmConversation *litert_lm_conversation_create(LmEngine *, LmConversationConfig *);
void litert_lm_conversation_delete(LmConversation *);
int litert_lm_conversation_get_token_count(LmConversation *);
const char *litert_lm_conversation_render_message_to_string(LmConversation *, const char *json);
void litert_lm_conversation_cancel_process(LmConversation *);

LmSuppressed *litert_lm_suppress_tokens_config_create(void);
void litert_lm_suppress_tokens_config_delete(LmSuppressed *);
void litert_lm_suppress_tokens_config_set_suppress_tokens(LmSuppressed *, const int *ids, size_t count);

LmSendOptions *litert_lm_conversation_optional_args_create(void);
void litert_lm_conversation_optional_args_delete(LmSendOptions *);
void litert_lm_conversation_optional_args_set_constraint(LmSendOptions *, int type, const char *text);
void litert_lm_conversation_optional_args_set_suppress_tokens_config(LmSendOptions *, LmSuppressed *);
void litert_lm_conversation_optional_args_set_max_output_tokens(LmSendOptions *, int);

/* The callback runs on a thread of the engine; the chunk is gone when it returns. */
int litert_lm_conversation_send_message_stream(LmConversation *, const char *json, const char *extra, LmSendOptions *,
                                               void (*callback)(void *data, LmChunk *), void *data);
const char *litert_lm_stream_chunk_get_text(LmChunk *);
const char *litert_lm_stream_chunk_get_error(LmChunk *);
bool litert_lm_stream_chunk_is_final(LmChunk *);

LmFigures *litert_lm_conversation_get_benchmark_info(LmConversation *);
void litert_lm_benchmark_info_delete(LmFigures *);
double litert_lm_benchmark_info_get_time_to_first_token(LmFigures *);
int litert_lm_benchmark_info_get_num_prefill_turns(LmFigures *);
int litert_lm_benchmark_info_get_num_decode_turns(LmFigures *);
int litert_lm_benchmark_info_get_prefill_token_count_at(LmFigures *, int turn);
int litert_lm_benchmark_info_get_decode_token_count_at(LmFigures *, int turn);
double litert_lm_benchmark_info_get_prefill_tokens_per_sec_at(LmFigures *, int turn);
double litert_lm_benchmark_info_get_decode_tokens_per_sec_at(LmFigures *, int turn);
