#include "agent/config_values.h"

#include <stddef.h>

#include "agent/config_take.h"

#define FIELD(member) offsetof(struct config, member)

/* Words are indexed by enumerator, written through unsigned. */
_Static_assert(sizeof(enum dialect_choice) == sizeof(unsigned), "width of an enum field");
_Static_assert((int)DIALECT_AUTO == 0 && (int)DIALECT_V1 == 1 && (int)DIALECT_V2 == 2, "words");
_Static_assert((int)LAYOUT_DATA == 0 && (int)LAYOUT_LOADER == 1, "words");
_Static_assert((int)SIGNAL_AUTH_INSTANCE == 0 && (int)SIGNAL_SUCCESS == 0, "words");
_Static_assert((int)PROGRESS_AUTO == 0 && (int)PROGRESS_NEVER == 2, "words");
_Static_assert((int)THAW_STANDARD == 0 && (int)THAW_BULK == 2, "words");
_Static_assert((int)LOG_ERROR == 0 && (int)LOG_DEBUG == 3, "words");

enum {
    MEMORY_MIN = 32 << 20, /* the plan's floor of 16 MiB and room for a plan */
    PART_MIN = 1 << 20,    /* below, requests cost more than bytes (architecture 3.4) */
    PART_MAX = 64 << 20,
    THREADS_MAX = 1024,
    NET_THREADS_MAX = 64,
    CONNECTIONS_MAX = 4096,
    LEASE_MIN_MS = 5000,                /* the store tells times in whole seconds */
    LEASE_MAX_MS = 24 * 60 * 60 * 1000, /* that a dead node keeps others waiting */
    THAW_DAYS_MAX = 365,                /* a copy is paid for as long as it is there */
};
#define MEMORY_MAX (UINT64_C(1) << 42) /* 4 TiB: more than any instance has */
#define RETRY_MAX_MS (UINT64_C(7) * 24 * 60 * 60 * 1000)

static const struct config_field fields[OPTION_COUNT] = {
    [OPTION_CLUSTER] = {.take = config_take_text, .offset = FIELD(selection.cluster)},
    [OPTION_SOURCE_REGION] = {.take = config_take_text, .offset = FIELD(selection.source_region)},
    [OPTION_TOKEN] = {.take = config_take_tokens, .offset = FIELD(selection)},
    [OPTION_AT] = {.take = config_take_at, .offset = FIELD(selection)},
    [OPTION_RANGE] = {.take = config_take_range, .offset = FIELD(selection)},
    [OPTION_SOURCE_VERSION_AT] = {.take = config_take_time,
                                  .offset = FIELD(selection.version_at_ms)},
    [OPTION_SNAPSHOT_ONLY] = {.take = config_take_flag, .offset = FIELD(selection.snapshot_only)},
    [OPTION_FORMAT] = {.take = config_take_word,
                       .offset = FIELD(selection.format),
                       .words = {"auto", "v1", "v2"}},
    [OPTION_INCLUDE] = {.take = config_take_tables, .offset = FIELD(selection.include)},
    [OPTION_EXCLUDE] = {.take = config_take_tables, .offset = FIELD(selection.exclude)},
    [OPTION_SYSTEM_AUTH] = {.take = config_take_system_auth,
                            .offset = FIELD(selection.skip_system_auth)},
    [OPTION_ALLOW_INCOMPLETE] = {.take = config_take_flag,
                                 .offset = FIELD(selection.allow_incomplete)},
    [OPTION_V1_UTC_OFFSET] = {.take = config_take_offset, .offset = FIELD(selection.v1_offset_ms)},
    [OPTION_INTO] = {.take = config_take_into, .offset = FIELD(targets)},
    [OPTION_LAYOUT] = {.take = config_take_word,
                       .offset = FIELD(layout),
                       .words = {"data", "loader"}},
    [OPTION_OWNER] = {.take = config_take_owner, .offset = FIELD(owner)},
    [OPTION_MODE] = {.take = config_take_mode, .offset = FIELD(mode), .min = 0600},
    [OPTION_DIR_MODE] = {.take = config_take_mode, .offset = FIELD(dir_mode), .min = 0700},
    [OPTION_REPLACE] = {.take = config_take_tables, .offset = FIELD(replace)},
    [OPTION_APPLY_YAML] = {.take = config_take_text, .offset = FIELD(apply_yaml)},
    [OPTION_ALLOW_SAME_CLUSTER_NAME] = {.take = config_take_flag,
                                        .offset = FIELD(allow_same_cluster_name)},
    [OPTION_SET_ASIDE_STALE] = {.take = config_take_flag, .offset = FIELD(set_aside_stale)},
    [OPTION_CASSANDRA_VERSION] = {.take = config_take_version, .offset = FIELD(cassandra_version)},
    [OPTION_AFTER] = {.take = config_take_commands, .offset = FIELD(after)},
    [OPTION_AS] = {.take = config_take_as, .offset = FIELD(as)},
    [OPTION_TABLE_MAP] = {.take = config_take_table_map, .offset = FIELD(table_map)},
    [OPTION_HISTORY] = {.take = config_take_text, .offset = FIELD(history)},
    [OPTION_RESTORE_ID] = {.take = config_take_id, .offset = FIELD(restore_id)},
    [OPTION_PLAN] = {.take = config_take_text, .offset = FIELD(plan_in)},
    [OPTION_RING] = {.take = config_take_text, .offset = FIELD(ring)},
    [OPTION_SLOT] = {.take = config_take_text, .offset = FIELD(slot)},
    [OPTION_NODE] = {.take = config_take_id, .offset = FIELD(node)},
    [OPTION_RACK] = {.take = config_take_text, .offset = FIELD(rack)},
    [OPTION_LEASE] = {.take = config_take_duration,
                      .offset = FIELD(lease_ms),
                      .min = LEASE_MIN_MS,
                      .max = LEASE_MAX_MS},
    [OPTION_TAKE] = {.take = config_take_text, .offset = FIELD(take)},
    [OPTION_RELEASE] = {.take = config_take_text, .offset = FIELD(release)},
    [OPTION_GONE] = {.take = config_take_id, .offset = FIELD(gone)},
    [OPTION_RING_SIZE] = {.take = config_take_unsigned,
                          .offset = FIELD(ring_size),
                          .min = 1,
                          .max = RING_SIZE_MAX},
    [OPTION_STACK] = {.take = config_take_stack, .offset = FIELD(stack)},
    [OPTION_STACK_RESOURCE] = {.take = config_take_resource, .offset = FIELD(stack_resource)},
    [OPTION_SIGNAL_AUTH] = {.take = config_take_word,
                            .offset = FIELD(signal_auth),
                            .words = {"instance", "sigv4"}},
    [OPTION_WAIT_HANDLE] = {.take = config_take_wait_handle, .offset = FIELD(wait_handle)},
    [OPTION_STATUS] = {.take = config_take_word,
                       .offset = FIELD(signal_status),
                       .words = {"success", "failure"}},
    [OPTION_REASON] = {.take = config_take_text, .offset = FIELD(reason)},
    [OPTION_DATA] = {.take = config_take_data, .offset = FIELD(data)},
    [OPTION_UNIQUE_ID] = {.take = config_take_unique_id, .offset = FIELD(unique_id)},
    [OPTION_STATE] = {.take = config_take_text, .offset = FIELD(state)},
    [OPTION_RACK_ZONE] = {.take = config_take_pairs, .offset = FIELD(rack_zones)},
    [OPTION_SLOT_IP] = {.take = config_take_pairs, .offset = FIELD(slot_ips)},
    [OPTION_IDENTITIES] = {.take = config_take_text, .offset = FIELD(identities)},
    [OPTION_OUT] = {.take = config_take_out, .offset = FIELD(plan_out)},
    [OPTION_SCHEMA] = {.take = config_take_flag, .offset = FIELD(plan_schema)},
    [OPTION_RAW] = {.take = config_take_flag, .offset = FIELD(decode_raw)},
    [OPTION_SAMPLE] = {.take = config_take_sample, .offset = FIELD(sample)},
    [OPTION_SEED] = {.take = config_take_u64, .offset = FIELD(seed), .max = UINT64_MAX},
    [OPTION_MEMORY] = {.take = config_take_bytes,
                       .offset = FIELD(memory),
                       .min = MEMORY_MIN,
                       .max = MEMORY_MAX},
    [OPTION_THREADS] = {.take = config_take_unsigned,
                        .offset = FIELD(threads),
                        .min = 1,
                        .max = THREADS_MAX},
    [OPTION_NET_THREADS] = {.take = config_take_unsigned,
                            .offset = FIELD(net_threads),
                            .min = 1,
                            .max = NET_THREADS_MAX},
    [OPTION_CONNECTIONS] = {.take = config_take_unsigned,
                            .offset = FIELD(connections),
                            .min = 1,
                            .max = CONNECTIONS_MAX},
    [OPTION_BANDWIDTH] = {.take = config_take_bytes, .offset = FIELD(bandwidth), .max = MEMORY_MAX},
    [OPTION_PART_SIZE] = {.take = config_take_bytes,
                          .offset = FIELD(part_size),
                          .min = PART_MIN,
                          .max = PART_MAX},
    [OPTION_RETRY_FOR] = {.take = config_take_duration,
                          .offset = FIELD(retry_for_ms),
                          .max = RETRY_MAX_MS},
    [OPTION_PROGRESS] = {.take = config_take_word,
                         .offset = FIELD(progress),
                         .words = {"auto", "always", "never"}},
    [OPTION_JSON] = {.take = config_take_flag, .offset = FIELD(json)},
    [OPTION_REPORT] = {.take = config_take_text, .offset = FIELD(report)},
    [OPTION_METRICS] = {.take = config_take_text, .offset = FIELD(metrics)},
    [OPTION_LOG_LEVEL] = {.take = config_take_word,
                          .offset = FIELD(log_level),
                          .words = {"error", "warn", "info", "debug"}},
    [OPTION_REGION] = {.take = config_take_text, .offset = FIELD(region)},
    [OPTION_ENDPOINT] = {.take = config_take_url, .offset = FIELD(endpoint)},
    [OPTION_PATH_STYLE] = {.take = config_take_flag, .offset = FIELD(path_style)},
    [OPTION_PROFILE] = {.take = config_take_text, .offset = FIELD(profile)},
    [OPTION_ROLE_ARN] = {.take = config_take_text, .offset = FIELD(role_arn)},
    [OPTION_EXTERNAL_ID] = {.take = config_take_text, .offset = FIELD(external_id)},
    [OPTION_REQUEST_PAYER] = {.take = config_take_payer, .offset = FIELD(request_payer)},
    [OPTION_EXPECTED_BUCKET_OWNER] = {.take = config_take_account,
                                      .offset = FIELD(expected_bucket_owner)},
    [OPTION_SSE_C_KEY_FILE] = {.take = config_take_text, .offset = FIELD(sse_c_key_file)},
    [OPTION_CA_FILE] = {.take = config_take_text, .offset = FIELD(ca_file)},
    [OPTION_DUALSTACK] = {.take = config_take_flag, .offset = FIELD(dualstack)},
    [OPTION_FIPS] = {.take = config_take_flag, .offset = FIELD(fips)},
    [OPTION_NO_SIGN] = {.take = config_take_flag, .offset = FIELD(no_sign)},
    [OPTION_THAW] = {.take = config_take_unsigned,
                     .offset = FIELD(thaw_days),
                     .min = 1,
                     .max = THAW_DAYS_MAX},
    [OPTION_THAW_TIER] = {.take = config_take_word,
                          .offset = FIELD(thaw_tier),
                          .words = {"standard", "expedited", "bulk"}},
};

int config_take_value(struct config *config, enum option_id id, const struct option_bag *bag,
                      struct err *e)
{
    ASSERT((unsigned)id < OPTION_COUNT);
    const struct config_field *field = &fields[id];
    const struct option_values *values = &bag->values[id];
    if (field->take == NULL || values->count == 0) {
        return 0; /* config, priam-properties, help and version are spent before */
    }
    return field->take(field, config, values, e);
}
