/* commands: one function a command, called by main once the configuration is whole. Each prints
 * what was asked for on stdout, everything else on stderr, and words its failure in *e. */
#ifndef PENATES_COMMANDS_H
#define PENATES_COMMANDS_H

#include "agent/config.h"

int list_run(const struct config *config, struct err *e) MUST_CHECK;
int plan_run(const struct config *config, struct err *e) MUST_CHECK;
int restore_run(const struct config *config, struct err *e) MUST_CHECK;
int verify_run(const struct config *config, struct err *e) MUST_CHECK;
int doctor_run(const struct config *config, struct err *e) MUST_CHECK;
int status_run(const struct config *config, struct err *e) MUST_CHECK;
int policy_run(const struct config *config, struct err *e) MUST_CHECK;
int ring_plan_run(const struct config *config, struct err *e) MUST_CHECK;
int ring_status_run(const struct config *config, struct err *e) MUST_CHECK;
int ring_claim_run(const struct config *config, struct err *e) MUST_CHECK;
int signal_run(const struct config *config, struct err *e) MUST_CHECK;
int help_run(const struct config *config, struct err *e) MUST_CHECK;
int version_run(const struct config *config, struct err *e) MUST_CHECK;

#endif
